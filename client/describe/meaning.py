"""What a public tensor means, as far as its config cannot say it; a pipeline's own stand in its room, in `tensors`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LEVEL_0 = "level-0 px"


@dataclass(frozen=True)
class Meaning:
    """Of one tensor."""

    text: str
    axes: tuple[str, ...] = ()
    """What is counted along each axis whose length varies, in their order."""
    unit: str = ""
    names: str = ""
    """The parameter that names its values, or its columns."""
    first: int = 0
    """The number that stands for the first name."""


@dataclass(frozen=True)
class ModelMeaning:
    """Of one public model."""

    text: str
    tensors: Mapping[str, Meaning]
    answers: Mapping[str, Meaning] = field(default_factory=dict)
    """Of outputs that mean something else than the input of the same name."""


PICTURES, WINDOWS = ("pictures",), ("windows",)

EVERY_TILES = {
    "TILE": Meaning("Encoded pictures: JPEG, PNG (8 bits) or PPM (P6), told apart by their first bytes.", PICTURES),
    "REGION": Meaning("What of the slide each TILE shows: x, y, width, height.", PICTURES, LEVEL_0),
    "WINDOW": Meaning(
        "What the network looks at: x, y, width, height, a square of the physical size above. The server puts it "
        "together from the pictures that lie in it, white where there is none; simplest is one picture for each window "
        "and WINDOW = REGION.",
        WINDOWS,
        LEVEL_0,
    ),
    "MPP": Meaning(
        "µm per level-0 pixel of the slide, not of the picture. WINDOW's side × MPP must be the physical size above "
        "within 2 %, or the request is refused with both numbers; a pipeline without one takes NaN.",
        unit="µm/px",
    ),
    "NETWORK": Meaning(
        "Identity of all that decided the rows, one for each window, also for one without rows. Rows of two "
        "identities do not belong together: begin the slide again.",
        WINDOWS,
    ),
}
"""Tensors of `<pipeline>_tiles` in every pipeline."""

EVERY_SLIDE = {
    "NETWORK": Meaning(
        "Of any of the slide's windows, one or more, as they came; two different ones are refused.", WINDOWS
    )
}
"""The same of `<pipeline>_slide`."""
