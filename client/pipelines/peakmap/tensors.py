"""What the public tensors of peakmap mean, beside those of every pipeline."""

from histoserve.client.describe.meaning import LEVEL_0, Meaning, ModelMeaning

ROWS, PEAKS = ("rows",), ("peaks",)

DECIDING = {
    "TILE_REGION": Meaning("The window of each row, one of those sent: x, y, width, height.", ROWS, LEVEL_0),
    "SCORE": Meaning("How much it looks like each type, 0 to 1, a column a type.", ROWS, names="types"),
    "FEATURE_MAP": Meaning("For peakmap_slide, pass it on.", ("rows", "channels", "height", "width")),
}

TILES = ModelMeaning(
    "Windows → rows of those alone that can be among their slide's K best of some type, often none.",
    {
        **DECIDING,
        "FLOOR": Meaning(
            "A score for each type below which no row is wanted: −1 at first, and once K windows of the type are known "
            "their K-th best score. It saves traffic, and changes no result; it may stay at −1.",
            names="types",
        ),
        "BOX": Meaning(
            "What the detector saw, for display: x, y, width, height, and a score for each type, 0 for none.",
            ("rows", "boxes", "4 + types"),
            LEVEL_0,
        ),
    },
)

SLIDE = ModelMeaning(
    "The rows of a slide → its class, and the windows that decided it. Rows may come twice.",
    {
        **DECIDING,
        "PROBABILITY": Meaning("Of each class; they sum to 1.", ("classes",), names="classes"),
        "ATTENTION": Meaning("Weight of each peak among those of its type, a row a type.", PEAKS, names="types"),
        "PEAK_REGION": Meaning("The window of each peak: x, y, width, height.", PEAKS, LEVEL_0, names="types"),
        "PEAK_SCORE": Meaning("Its score, from the highest; −1 for an empty place.", PEAKS, names="types"),
    },
)
