"""The tissue that several sections are cut from: tumour nests, normal glands, lymphocytes; and a piece torn off one."""

from copy import copy
from dataclasses import dataclass

import numpy as np

from histoserve.phantom.lesion.growth import STYLES, Islands
from histoserve.phantom.lesion.tissue import LESION, LesionTissue
from histoserve.phantom.noise import Floats, hashed_one, spline_at

SHARES = (0.05, 0.80)
"""Least and most of the tissue that holds nests of tumour cells."""

_CHANNEL, _SOWN, _RAGGED = 2050, 2055, 2056
_PATCH = 700.0
"""Size of a part with nests, µm, where the slide has room."""


@dataclass(frozen=True)
class Tear:
    """A line beyond which the tissue is gone."""

    seed: int
    x: float
    """A place on it, µm."""
    y: float
    angle: float
    """Of the way to the missing piece."""

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Distance from the line, negative beyond it, at places (µm)."""
        beyond = (x - self.x) * np.cos(self.angle) + (y - self.y) * np.sin(self.angle)
        return np.asarray(30 * spline_at(self.seed, _RAGGED, 140.0, x, y) - beyond)


class BiomarkerTissue(LesionTissue):
    """Its nests are planted; `share` of the tissue holds them unless the seed is to choose."""

    tear: Tear | None = None

    def __init__(self, seed: int, size_um: tuple[float, float], share: float | None = None) -> None:
        super().__init__(seed, size_um)
        random = np.random.default_rng((seed, _CHANNEL))
        drawn, style = float(random.uniform(*SHARES)), list(STYLES)[int(random.integers(len(STYLES)))]
        self.style = style
        self.share = drawn if share is None else share
        if self.share:
            self.plant(Islands(self.places.area(LESION, self.share, _PATCH), STYLES[style]))

    def section(self, number: int, tear: Tear | None = None) -> "BiomarkerTissue":
        """The same tissue a few µm deeper: what is larger than a cell is the same, single cells are not."""
        other = copy(self)
        if number:
            other.sown = int(hashed_one(self.seed, _SOWN, number, 0) * 2**52)
        other.tear = tear
        return other

    def inside(self, x: Floats, y: Floats) -> Floats:
        """See `Tissue`."""
        depth = super().inside(x, y)
        return depth if self.tear is None else np.minimum(depth, self.tear.depth(x, y))
