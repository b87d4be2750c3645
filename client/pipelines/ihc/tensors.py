"""What the public tensors of ihc mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning
from histoserve.client.pipelines.nuclei import tensors as nuclei

CELLS = ("nuclei",)

TILES = ModelMeaning(
    "Windows of a slide stained for a marker → the nuclei in them, those included that reach over the border of CORE.",
    nuclei.TILES.tensors,
)

SLIDE = ModelMeaning(
    "All rows of a slide → which of them count, and the reading: the lesion region first, where tumour cells prevail, "
    "then the tumour cells in it.",
    {
        **nuclei.SLIDE.tensors,
        "MPP": Meaning("Of the slide.", (), "µm per level-0 px"),
        "COUNTED": Meaning("Whether the row is kept, and a tumour cell of the lesion region.", CELLS),
        "COUNT": Meaning("Rows that count: positive, negative.", ()),
        "READING": Meaning("Positive ÷ (positive + negative), 0 to 1; NaN, not 0, where no tumour was found.", ()),
        "REGION": Meaning("Squares of the lesion region: x, y, width, height.", ("squares",), LEVEL_0),
    },
)
