"""What grows on a slide that is not normal: islands of lesion cells with or without hollows, and single cells."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from histoserve.phantom.he.tissue import NO_GLAND
from histoserve.phantom.lesion.area import Area
from histoserve.phantom.noise import Floats, Ints, hashed, spline_at

_ISLAND, _RAGGED, _UNROUND, _HOLLOW = 1100, 1101, 1102, 1110
_FAR = 99.0


class Growth(Protocol):
    """Where lesion cells lie; places and distances in µm, of one shape."""

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Under the border of the nearest island, negative outside."""

    def hollow(self, x: Floats, y: Floats) -> Floats:
        """Distance from the next hollow of an island, negative within."""

    def singles(self, x: Floats, y: Floats) -> Floats:
        """Share of the places outside islands that hold a lesion cell, 0-1."""


@dataclass(frozen=True)
class Style:
    """How islands look."""

    spacing: float
    """Their pitch, µm."""
    fullness: float
    """Raises the share of the area that they fill; 0 is half of it."""
    hollows: tuple[float, float, float] | None
    """Pitch, smallest and largest radius of the hollows, µm."""


STYLES = {
    "solid": Style(62.0, 0.16, None),
    "cribriform": Style(82.0, 0.22, (45.0, 5.5, 13.0)),
}


class NoGrowth:
    """Of a normal slide."""

    def depth(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        return np.full(np.shape(x), NO_GLAND)

    def hollow(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        return np.full(np.shape(x), _FAR)

    def singles(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        return np.zeros(np.shape(x))


class Islands:
    """Islands of one style within an area, and a few cells that left them."""

    def __init__(self, where: Area, style: Style) -> None:
        self._where = where
        self._style = style

    def depth(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        border = self._where.depth(x, y)
        if border.size == 0 or border.max() < -60:
            return np.full(np.shape(x), NO_GLAND)
        return np.maximum(np.minimum(island(self._where.seed, self._style, x, y), border), NO_GLAND)

    def hollow(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        return hollows(self._where.seed, self._style, x, y)

    def singles(self, x: Floats, y: Floats) -> Floats:
        """See `Growth`."""
        return np.where(self._where.depth(x, y) > 0, 0.03, 0.0)


def island(seed: int, style: Style, x: Floats, y: Floats) -> Floats:
    """Depth under the border of an island, µm, were there no end to where they grow."""
    level = spline_at(seed, _ISLAND, style.spacing, x, y) + style.fullness
    return level * style.spacing + 7.0 * spline_at(seed, _RAGGED, 17.0, x, y)


def hollows(seed: int, style: Style, x: Floats, y: Floats) -> Floats:
    """Distance from the next hollow, µm; one is left out unless it lies well within an island."""
    nearest = np.full(np.shape(x), _FAR)
    if style.hollows is None or x.size == 0:
        return nearest
    i, j = (np.floor(v / style.hollows[0]).astype(np.int64) for v in (y, x))
    rows, columns = (np.arange(k.min() - 1, k.max() + 2) for k in (i, j))
    at_x, at_y, radius = _hollows(seed, style, rows, columns)
    for di in (0, 1, 2):
        for dj in (0, 1, 2):
            k = (i - rows[0] - 1 + di) * len(columns) + j - columns[0] - 1 + dj
            distance = np.hypot(x - at_x.take(k), y - at_y.take(k)) - radius.take(k)
            np.minimum(nearest, distance, out=nearest)
    return nearest + 3.2 * spline_at(seed, _UNROUND, 11.0, x, y)


def _hollows(seed: int, style: Style, rows: Ints, columns: Ints) -> tuple[Floats, Floats, Floats]:
    """Places and radii of the hollows of a lattice, a negative radius for those left out; each (rows, columns)."""
    assert style.hollows is not None
    pitch, least, most = style.hollows
    draw = [hashed(seed, _HOLLOW + k, rows[:, None], columns[None, :]) for k in range(4)]
    x, y = (columns + 0.5 + 0.8 * (draw[0] - 0.5)) * pitch, (rows[:, None] + 0.5 + 0.8 * (draw[1] - 0.5)) * pitch
    radius = least + draw[2] * (most - least)
    kept = (draw[3] < 0.85) & (island(seed, style, x, y) > radius + 9)
    return x, y, np.where(kept, radius, -_FAR)
