"""What the public tensors of spread mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning

REGIONS, RASTER = ("regions",), ("rows", "columns")

ROWS = {
    "VALUE": Meaning("Share of lesion cells among all cells of the region, 0 to 1.", REGIONS),
    "TILE_REGION": Meaning("The window of each row: x, y, width, height.", REGIONS, LEVEL_0),
}

TILES = ModelMeaning(
    "Windows → a value for each. Windows of a slide are of one size and lie side by side on a raster.",
    {**ROWS, "LAYER_VALUE": Meaning("The same share by each of the 13 convolutions alone.", REGIONS)},
)

SLIDE = ModelMeaning(
    "The rows of a slide → heat map, direction and extent of spread. Rows may come twice.",
    {
        **ROWS,
        "MPP": Meaning("µm per level-0 pixel of the slide, or NaN where that is not known.", unit="µm/px"),
        "HEATMAP": Meaning("The values in their places, NaN where there is no region.", RASTER),
        "DIRECTION": Meaning(
            "Where the value falls to, x right and y down, as long as it falls from a region to the next; NaN where "
            "there is no region.",
            RASTER,
        ),
        "PRIMARY": Meaning("The largest connected part at or above the parameter lesion.", RASTER),
        "MAIN_DIRECTION": Meaning(
            "From the primary's centre to the value-weighted centre of what was reached outside it: x, y. NaN where "
            "there is none of either, or where what was reached lies on no side of the primary.",
            unit=LEVEL_0,
        ),
        "EXTENT": Meaning(
            "mm² at or above lesion, mm² at or above reached, µm from the primary's centre to the centre of the "
            "farthest region at or above reached. NaN where MPP is.",
        ),
    },
)
