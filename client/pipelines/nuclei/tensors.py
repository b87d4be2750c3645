"""What the public tensors of nuclei mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning

NUCLEI = ("nuclei",)

ROWS = {
    "CENTROID": Meaning("Middle of its pixels: x, y.", NUCLEI, LEVEL_0),
    "BOX": Meaning("Around its pixels: x, y, width, height.", NUCLEI, LEVEL_0),
    "TYPE": Meaning("Number of its type, from 1.", NUCLEI, names="types", first=1),
    "TYPE_PROBABILITY": Meaning("Share of its pixels that have its type, 0 to 1; not a probability.", NUCLEI),
    "AREA": Meaning("Of its pixels; in µm² it is AREA × MPP².", NUCLEI, "level-0 px²"),
    "SHAPE": Meaning("A picture of its outline, 24 × 24 bits over BOX; for nuclei_slide, pass it on.", NUCLEI),
}

TILES = ModelMeaning(
    "Windows → the nuclei in them, those included that reach over the border of CORE.",
    {
        **ROWS,
        "CORE": Meaning(
            "The part of each window that it answers for: x, y, width, height. A slide's cores tile it without gaps "
            "and overlaps, and each window is its core and the margin above on every side; a window that stands alone "
            "has CORE = WINDOW.",
            ("windows",),
            LEVEL_0,
        ),
        "CONTOUR": Meaning(
            "Outlines, one behind the other: x, y of each vertex; the last joins the first.", ("vertices",), LEVEL_0
        ),
        "CONTOUR_END": Meaning(
            "Where in CONTOUR each outline ends: that of nucleus i is CONTOUR[CONTOUR_END[i−1] : CONTOUR_END[i]], end "
            "excluded, from 0 for the first. It counts within one request: add the vertices of those before.",
            NUCLEI,
        ),
        "TILE_INDEX": Meaning(
            "The window that saw it, from 0. It counts within one request: add the windows of those before.", NUCLEI
        ),
    },
)

SLIDE = ModelMeaning(
    "The rows of a slide → which to keep, so that a nucleus that two windows saw counts once. Rows far from every seam "
    "may be left out: they are kept. A single window needs none of this.",
    {
        **ROWS,
        "CORE": Meaning("Of the window that saw it: CORE[TILE_INDEX] of its request.", NUCLEI, LEVEL_0),
        "TILE_INDEX": Meaning("The window that saw it; each window of the slide has its own number.", NUCLEI),
        "KEEP": Meaning("Whether the row is kept.", NUCLEI),
    },
)
