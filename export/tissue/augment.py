"""What a tile looks like in training: a look at a slide, turned, flipped, enlarged (CN113887377A [0070-0075])."""

import numpy as np
from numpy.typing import NDArray

from histoserve.export import look
from histoserve.export.dyes import vary_dyes
from histoserve.export.look import Look
from histoserve.export.tissue.slides import SIDE

__all__ = ["AREA", "Look", "look_near", "vary_dyes"]

AREA = (0.3, 1.0)
"""Of a crop, in parts of the tile's."""


def look_near(place: NDArray, area: tuple[float, float], random: np.random.Generator) -> Look:
    """One that shows the place (x, y in px of the slide) somewhere; `area`: least and largest part of a tile's."""
    return look.look_near(place, SIDE, area, random)
