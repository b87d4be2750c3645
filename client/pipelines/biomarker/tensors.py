"""What the public tensors of biomarker mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning

ROWS = ("rows",)

COLUMNS = {
    "READING": Meaning(
        "Of each marker, a column a marker: the predicted share of positive cells among the tumour cells of the "
        "window, 0 to 1. Of a marker of the membrane too: it is no score of 0 to 3+.",
        ROWS,
        names="markers",
    ),
    "TUMOUR": Meaning(
        "Whether the window shows tumour, 0 to 1, the mean of what the networks see. Below the parameter least_tumour "
        "its readings mean nothing.",
        ROWS,
    ),
    "TILE_REGION": Meaning("The window of each row: x, y, width, height.", ROWS, LEVEL_0),
}

TILES = ModelMeaning(
    "Windows → a row for each, as they came. A slide's windows lie side by side, as squares of one raster; those that "
    "its border would cut are left out. The parameter stain says which stain they must show.",
    COLUMNS,
)

SLIDE = ModelMeaning(
    "The rows of a slide → its readings, and the rows that decided them. Rows may come twice.",
    {
        **COLUMNS,
        "TOP": Meaning(
            "Of the windows that show tumour, the rows of the k highest, a row a marker, from the highest (equal ones "
            "by y, then x); −1 beyond the last one. They decide, unless the parameter mean_of is all.",
            ("k",),
            names="markers",
        ),
    },
    {
        "READING": Meaning(
            "Of the slide, a value a marker: the mean of its k highest windows, of all if there are fewer or the "
            "parameter mean_of is all, of those that show tumour; NaN without any, which is no reading.",
            names="markers",
        )
    },
)
