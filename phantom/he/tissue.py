"""Where what kind of tissue lies: outline of the pieces, glands with their lumen, crowds of cells, run of the fibres.

All coordinates and distances are micrometres from the slide's top left corner; `x` and `y` of one shape, any shape.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.noise import Floats, hashed, hashed_one, spline_at

GLAND_PITCH = 132.0
GLAND_REACH = 66.0
NO_GLAND = -40.0
"""Depth that stands for "far from any gland"."""

_OUTLINE, _FRAY, _CROWD, _WARP, _DRIFT, _LOOSE, _TONE, _GLAND = range(8)


@dataclass(frozen=True)
class Gland:
    """One gland: a ring of epithelium of `height` around a lumen; outline in polar coordinates."""

    key: tuple[int, int]
    x: float
    y: float
    radius: float
    lobes: Floats
    """(3, 2): share of the radius and phase of the outline's waves 2, 3 and 5."""
    height: float
    rows: int
    goblets: float
    """Share of the cells that hold a drop of mucus, 0-1."""

    def outline(self, angle: Floats) -> Floats:
        """Distance of the gland's border from its centre in the direction `angle`."""
        waves = sum(share * np.cos(k * angle + phase) for k, (share, phase) in zip((2, 3, 5), self.lobes, strict=True))
        return self.radius * (1 + waves)

    def polar(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Depth under the gland's border (negative outside) and angle of places."""
        dx, dy = x - self.x, y - self.y
        angle = np.arctan2(dy, dx)
        return self.outline(angle) - np.sqrt(dx * dx + dy * dy), angle

    def solid(self, depth: Floats, angle: Floats) -> Floats:
        """Distance from the nearest hollow (lumen or mucus), negative within it."""
        cells = np.floor(angle * self.radius / 9.5)
        across = (angle * self.radius / 9.5 - cells - 0.5) * 9.5
        own = np.array([self.key[0] * 8191 + self.key[1]])
        full = hashed(0, _GLAND, own, cells.astype(np.int64)) < self.goblets
        drop = np.sqrt(across**2 + ((depth - 0.62 * self.height) * 0.55) ** 2) - 4.2
        return np.asarray(np.minimum(self.height - depth, np.where(full, drop, 99.0)))


class Tissue:
    """The architecture of one slide, decided by its seed and its physical size (width, height)."""

    pitch = GLAND_PITCH
    """Of the places for glands along a row."""

    def __init__(self, seed: int, size_um: tuple[float, float]) -> None:
        self.seed = seed
        self.sown = seed
        """Seed of where single cells lie: another section of the same tissue has others."""
        self.size_um = size_um
        shorter = min(size_um)
        self._margin = min(max(0.1 * shorter, 10.0), 600.0)
        self._piece = min(max(0.3 * shorter, 60.0), 1500.0)
        slope = hashed_one(seed, _DRIFT, 0, 0) * np.pi
        self._along = (float(np.cos(slope)), float(np.sin(slope)))
        self.gland = lru_cache(maxsize=4096)(self._gland)

    def inside(self, x: Floats, y: Floats) -> Floats:
        """Distance from the outline of the piece of tissue (roughly; negative on glass)."""
        width, height = self.size_um
        edge = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y)) / self._margin
        level = np.minimum(edge - 1, 0.5)
        level = level + 0.5 * self._noise(_OUTLINE, self._piece, x, y)
        return level * 0.5 * self._piece + 7.0 * self._noise(_FRAY, 40.0, x, y)

    def is_near(self, x: tuple[float, float], y: tuple[float, float]) -> bool:
        """False only where the box, and what is within 10 µm of it, holds no tissue."""
        # `inside` changes by less than 2.5 per µm: tried every 8 µm, it cannot rise above -5 between.
        at_x, at_y = np.meshgrid(*(np.linspace(*span, 2 + int((span[1] - span[0]) / 8)) for span in (x, y)))
        return bool(self.inside(at_x, at_y).max() > -30)

    def crowd(self, x: Floats, y: Floats) -> Floats:
        """Share of the places that hold an inflammatory cell, 0-1."""
        return np.clip(1.5 * self._noise(_CROWD, 85.0, x, y) - 0.45, 0, 1)

    def loose(self, x: Floats, y: Floats) -> Floats:
        """How far the fibres stand apart, 0-1."""
        return np.clip(0.45 + 0.55 * self._noise(_LOOSE, 70.0, x, y), 0, 1)

    def tone(self, x: Floats, y: Floats) -> Floats:
        """Uneven staining and thickness: factor on all dye."""
        return 1 + 0.2 * self._noise(_TONE, 210.0, x, y)

    def fibre(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Coordinates across and along the fibres: a fibre is a line on which the first is constant."""
        c, s = self._along
        bend = 42.0 * self._noise(_WARP, 120.0, x, y) + 6.0 * self._noise(_WARP + 20, 26.0, x, y)
        bend += 1.3 * self._noise(_WARP + 40, 7.0, x, y)
        return np.asarray(c * y - s * x + bend), np.asarray(c * x + s * y)

    def fibre_angle(self, x: Floats, y: Floats) -> Floats:
        """Direction of the fibres, radians from the x axis."""
        here, step = self.fibre(x, y)[0], 2.0
        gx = self.fibre(x + step, y)[0] - here
        gy = self.fibre(x, y + step)[0] - here
        return np.arctan2(-gx, gy)

    def glands(self, x: tuple[float, float], y: tuple[float, float]) -> list[Gland]:
        """The glands that reach into the box, by row and column."""
        i0, i1 = (int(np.floor((v + d) / self.pitch)) for v, d in zip(y, (-self.pitch, self.pitch), strict=True))
        j0, j1 = (int(np.floor((v + d) / self.pitch)) for v, d in zip(x, (-self.pitch, self.pitch), strict=True))
        found = (self.gland(i, j) for i in range(i0, i1 + 1) for j in range(j0 - 1, j1 + 1))
        return [
            g
            for g in found
            if g is not None
            and x[0] - GLAND_REACH < g.x < x[1] + GLAND_REACH
            and y[0] - GLAND_REACH < g.y < y[1] + GLAND_REACH
        ]

    def epithelium(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Depth under the border of the nearest gland (negative outside), and distance from its hollows."""
        depth, solid = np.full(np.shape(x), NO_GLAND), np.full(np.shape(x), 99.0)
        if x.size == 0:
            return depth, solid
        for gland in self.glands((float(x.min()), float(x.max())), (float(y.min()), float(y.max()))):
            near = np.nonzero(np.maximum(abs(x - gland.x), abs(y - gland.y)) < GLAND_REACH + 20)
            under, angle = gland.polar(x[near], y[near])
            deeper = under > depth[near]
            depth[near] = np.where(deeper, under, depth[near])
            solid[near] = np.where(deeper, gland.solid(under, angle), solid[near])
        return depth, solid

    def _gland(self, i: int, j: int) -> Gland | None:
        draw: NDArray[np.float64] = hashed(self.seed, _GLAND, np.array([i]), np.arange(16) + 16 * j)
        x = (j + 0.5 + 0.5 * (i % 2) + 0.14 * (draw[0] - 0.5)) * self.pitch
        y = (i + 0.5 + 0.14 * (draw[1] - 0.5)) * self.pitch * 0.9
        if draw[2] > 0.78 or self.inside(np.array([x]), np.array([y]))[0] < 12:
            return None
        rows = 1 + int(draw[3] * 3.2)
        lobes = np.stack([draw[4:7] * (0.26, 0.10, 0.05), draw[7:10] * 2 * np.pi], axis=1)
        return Gland((i, j), x, y, 34 + 18 * draw[10], lobes, 13 + 9.5 * rows, rows, 0.75 if rows == 1 else 0.06)

    def _noise(self, channel: int, spacing: float, x: Floats, y: Floats) -> Floats:
        return spline_at(self.seed, channel, spacing, x, y)
