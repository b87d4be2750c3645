"""What the public tensors of tissue mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning

ROWS = ("rows",)

COLUMNS = {
    "PROBABILITY": Meaning(
        "Of each class, a column a class, the first one normal; a row sums to 1.", ("rows", "classes"), names="classes"
    ),
    "TILE_REGION": Meaning("The window of each row: x, y, width, height.", ROWS, LEVEL_0),
}

TILES = ModelMeaning(
    "Windows → a row for each, as they came. A slide's windows lie side by side, as squares of one raster; those that "
    "its border would cut are left out.",
    COLUMNS,
)

SLIDE = ModelMeaning(
    "The rows of a slide → its class, and the regions of its abnormal tiles. Rows may come twice. A tile is abnormal "
    "by 1 − P(normal).",
    {
        **COLUMNS,
        "ABNORMAL": Meaning("Whether the row's tile is abnormal by the threshold or more.", ROWS),
        "GROUP": Meaning(
            "The region that it belongs to, of abnormal tiles that touch, by corners too: 0 for the worst, which has "
            "the largest sum of abnormal probabilities; −1 for none.",
            ROWS,
        ),
    },
    {
        "PROBABILITY": Meaning(
            "Of the slide: the mean of its k most abnormal tiles, of all if there are fewer; 0 without any row, which "
            "is no class. Normal if 1 − P(normal) stays under the threshold, else the likeliest of the others.",
            ("classes",),
            names="classes",
        )
    },
)
