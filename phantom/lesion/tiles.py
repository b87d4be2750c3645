"""Training tiles without their slides: where to cut, and what the truth calls what is cut."""

import numpy as np

from histoserve.phantom.drawing import Frame
from histoserve.phantom.lesion.slide import LesionSlide

ABNORMAL, UNCLEAR = 0.25, 0.05
"""A tile with this share of lesion cells or more is abnormal; one below, but not under the second, is not counted."""

_TISSUE = 40.0
"""A tile's centre lies at least so deep in tissue, µm."""

_PLACES = 400


def tile_class(slide_class: str, share: float) -> str | None:
    """The class of a tile with this share of lesion cells (NaN: no cell), None for one that is not counted."""
    if share >= ABNORMAL:
        return slide_class
    return None if share >= UNCLEAR else "normal"


def frame_in(slide: LesionSlide, side: int, random: np.random.Generator, *, in_lesion: bool) -> Frame | None:
    """A square of `side` px that lies on the slide, its centre in tissue, or in islands; None where none was found."""
    width, height = slide.size
    if min(width, height) < side:
        return None
    corners = random.integers(0, (width - side + 1, height - side + 1), (_PLACES, 2))
    centres = (corners + side / 2) * slide.mpp
    x, y = centres.T
    fits = slide.tissue.inside(x, y) > _TISSUE
    if in_lesion:
        fits &= slide.tissue.growth.depth(x, y) > 0
    found = np.nonzero(fits)[0]
    return (int(corners[found[0], 0]), int(corners[found[0], 1]), side, side) if len(found) else None
