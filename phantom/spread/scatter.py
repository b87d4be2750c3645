"""A growth with a primary, and single cells and small nests around it that thin out with the distance."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.he.tissue import NO_GLAND
from histoserve.phantom.lesion.growth import Style, hollows, island
from histoserve.phantom.noise import Floats, spline_at

_BORDER, _NEST = 1900, 1901
_NEST_PITCH = 45.0
_LEAST = 0.01
"""Where cells are fewer than this there are none."""


@dataclass(frozen=True)
class Scatter:
    """See `lesion.growth.Growth`; lengths in µm."""

    seed: int
    style: Style
    x: float
    """Centre of the primary."""
    y: float
    radius: float
    angle: float
    """Direction of the spread, radians from x to y."""
    focus: float
    """How narrow it is; 0 spreads evenly to all sides."""
    most: float
    """Share of the places that hold a lesion cell, beside the primary in the direction; 0 for no spread."""
    reach: float
    """Distance over which that falls to a third."""

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Under the border of an island of the primary, or of a small nest."""
        level = self._burden(x, y)
        nested = spline_at(self.seed, _NEST, _NEST_PITCH, x, y) - 1.35 + 1.2 * np.sqrt(level)
        nest = np.where(level > _LEAST, nested * _NEST_PITCH, NO_GLAND)
        within = self._within(x, y)
        if within.size and within.max() > NO_GLAND:
            nest = np.maximum(nest, np.minimum(within, island(self.seed, self.style, x, y)))
        return np.maximum(nest, NO_GLAND)

    def hollow(self, x: Floats, y: Floats) -> Floats:
        """Distance from the next hollow of the primary's islands."""
        return np.where(self._within(x, y) > 0, hollows(self.seed, self.style, x, y), 99.0)

    def singles(self, x: Floats, y: Floats) -> Floats:
        """Share of the places that hold a single lesion cell."""
        level = self._burden(x, y)
        return np.where(level > _LEAST, level, 0.0)

    def _within(self, x: Floats, y: Floats) -> Floats:
        """Distance under the primary's border, roughly."""
        ragged = 0.2 * self.radius * spline_at(self.seed, _BORDER, 0.8 * self.radius, x, y)
        return np.asarray(self.radius - np.hypot(x - self.x, y - self.y) + ragged)

    def _burden(self, x: Floats, y: Floats) -> Floats:
        dx, dy = x - self.x, y - self.y
        beyond = np.maximum(np.hypot(dx, dy) - self.radius, 0.0)
        side = np.cos(np.arctan2(dy, dx) - self.angle) - 1
        return np.asarray(self.most * np.exp(self.focus * side - beyond / self.reach))
