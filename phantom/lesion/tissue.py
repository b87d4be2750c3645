"""The architecture of a slide that may hold a lesion, and on every slide what is easily taken for one."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from histoserve.phantom.he.tissue import Gland, Tissue
from histoserve.phantom.lesion.area import Area, Places
from histoserve.phantom.lesion.growth import Growth, NoGrowth
from histoserve.phantom.noise import Floats, hashed, hashed_one

LYMPHOID, CROWDED, SIDE_CUT, BARREN, BLOOD, LESION, BLURRED = range(7)
"""Channels of the areas: lymphoid crowds, crowded glands, glands cut at their side, stroma alone, blood, lesion, and
what is out of focus."""

_SHARES = {
    LYMPHOID: (0.05, 0.16, 260.0),
    CROWDED: (0.10, 0.35, 420.0),
    SIDE_CUT: (0.12, 0.35, 380.0),
    BARREN: (0.05, 0.20, 520.0),
    BLOOD: (0.01, 0.03, 180.0),
    BLURRED: (0.02, 0.07, 420.0),
}
"""Smallest and largest share of the tissue, and size of a patch in µm, of what every slide has."""

_DRAW, _KEPT, _EDGE = 1200, 1201, 1202
_LOOSER = (-0.5, 0.15)
"""How much looser than that of kind "he" a slide's stroma is: dense stroma leaves as few gaps as a lesion."""

_FULLER = 0.3
"""Tissue reaches farther to the slide's edge than that of kind "he"."""


class Follicle(NamedTuple):
    """A lymphoid crowd at a chosen place, µm."""

    x: float
    y: float
    radius: float


class LesionTissue(Tissue):
    """The architecture of one slide; what grows on it is put in with `plant`."""

    pitch = 112.0

    def __init__(self, seed: int, size_um: tuple[float, float]) -> None:
        super().__init__(seed, size_um)
        self.growth: Growth = NoGrowth()
        self.follicle: Follicle | None = None
        self._looser = _LOOSER[0] + hashed_one(seed, _DRAW, len(_SHARES), 0) * (_LOOSER[1] - _LOOSER[0])
        self.places = Places(self)
        self.areas: dict[int, Area] = {
            channel: self.places.area(channel, least + hashed_one(seed, _DRAW, channel, 0) * (most - least), spacing)
            for channel, (least, most, spacing) in _SHARES.items()
        }

    def plant(self, growth: Growth) -> None:
        """Let this grow, before anything is drawn."""
        self.growth = growth

    def inside(self, x: Floats, y: Floats) -> Floats:
        """See `Tissue`."""
        return super().inside(x, y) + _FULLER * 0.5 * self._piece

    def loose(self, x: Floats, y: Floats) -> Floats:
        """See `Tissue`."""
        return np.clip(super().loose(x, y) + self._looser, 0, 1)

    def crowd(self, x: Floats, y: Floats) -> Floats:
        """See `Tissue`."""
        lymphoid = np.clip(self.areas[LYMPHOID].depth(x, y) / 14 + 0.4, 0, 1)
        if self.follicle is not None:
            ragged = self.follicle.radius * (1 + 0.25 * self._noise(_EDGE, self.follicle.radius, x, y))
            away = np.hypot(x - self.follicle.x, y - self.follicle.y)
            lymphoid = np.maximum(lymphoid, np.clip((ragged - away) / 14, 0, 1))
        bled = self.areas[BLOOD].depth(x, y) > 0
        return np.where(bled, 0.0, np.maximum(super().crowd(x, y), lymphoid))

    def epithelium(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Depth under the border of the nearest gland or island, and distance from its hollows."""
        depth, solid = super().epithelium(x, y)
        grown = self.growth.depth(x, y)
        if grown.size == 0 or grown.max() < -20:
            return depth, solid
        hollow = self.growth.hollow(x, y)
        return np.maximum(depth, grown), np.where(grown > depth, hollow, solid)

    def _gland(self, i: int, j: int) -> Gland | None:
        gland = super()._gland(i, j)
        if gland is None:
            return None
        x, y = np.array([gland.x]), np.array([gland.y])
        draw = hashed(self.seed, _KEPT, np.array([i]), np.arange(4) + 4 * j)
        if any(self.areas[channel].depth(x, y)[0] > 0 for channel in (BARREN, LYMPHOID, BLOOD)):
            return None
        if self.growth.depth(x, y)[0] > -30 and draw[0] > 0.1:
            return None
        if self.areas[CROWDED].depth(x, y)[0] > 0:
            gland = replace(gland, radius=50 + 8 * float(draw[1]), lobes=gland.lobes * (0.5, 1))
        else:
            gland = replace(gland, radius=0.9 * gland.radius)
        if self.areas[SIDE_CUT].depth(x, y)[0] > 0 and draw[2] < 0.85:
            gland = replace(gland, height=3 * gland.radius, rows=6, goblets=0.0)
        return gland
