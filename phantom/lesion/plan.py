"""What a slide of kind "lesion" holds: its class, and how much of the tissue the lesion takes; chosen by its seed."""

import numpy as np

from histoserve.phantom.lesion.growth import STYLES, Islands
from histoserve.phantom.lesion.slide import LesionSlide
from histoserve.phantom.lesion.tissue import LESION, LesionTissue

NORMAL = "normal"
CLASSES = (NORMAL, *STYLES)
SHARES = (0.01, 0.40)
"""Least and most of the tissue that a lesion takes; the logarithm is spread evenly."""

_CHANNEL = 1800
_PATCH = 900.0
"""Size of a focus, µm, where the slide has room."""

_CERTAIN = 1e5
"""A lesion of this area, µm², holds cells for certain."""


def lesion_slide(
    size: tuple[int, int], mpp: float, seed: int, *, slide_class: str | None = None, stains: str = "training"
) -> LesionSlide:
    """The slide of a seed (width, height in pixels; µm per pixel), of the class the seed draws or the one asked for.

    A lesion that found no room for a cell leaves a normal slide. `stains` names one of `stains.RANGES`. ValueError for
    a class or range that there is not.
    """
    if slide_class not in (None, *CLASSES):
        raise ValueError(f"no class of slide is called {slide_class!r}: choose one of {', '.join(CLASSES)}")
    random = np.random.default_rng((seed, _CHANNEL))
    drawn = CLASSES[int(random.integers(len(CLASSES)))]
    share = float(np.exp(random.uniform(*np.log(SHARES))))
    slide_class = slide_class or drawn
    share = 0.0 if slide_class == NORMAL else share
    tissue = LesionTissue(seed, (size[0] * mpp, size[1] * mpp))
    if share:
        tissue.plant(Islands(tissue.places.area(LESION, share, _PATCH), STYLES[slide_class]))
    facts: dict[str, object] = {"class": slide_class, "share_of_tissue": round(share, 4), "stains": stains}
    slide = LesionSlide(tissue, size, mpp, dyes=stains, facts=facts)
    if share and share * np.prod(tissue.size_um) < _CERTAIN and not slide.holds_lesion():
        facts |= {"class": NORMAL, "share_of_tissue": 0.0}
    return slide
