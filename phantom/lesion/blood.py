"""Red cells that left their vessel: discs of eosin side by side, on plasma."""

import numpy as np

from histoserve.phantom.he.ground import Plane
from histoserve.phantom.lesion.area import Area
from histoserve.phantom.noise import Floats, hashed, spline

_PITCH, _RADIUS = 6.8, 2.9
_CHANNEL, _BEND = 1500, 1510
_DYE = 0.95


def bleed(haematoxylin: Plane, eosin: Plane, where: Area, x: Floats, y: Floats) -> None:
    """Lay blood over both planes (h, w), in units, at the crossings of the columns x and the rows y (µm)."""
    cover = np.clip(where.depth_on(x, y) / 8, 0, 1).astype(np.float32)
    # Bare glass beside the tissue holds none.
    cover *= np.clip(eosin * np.float32(20), 0, 1)
    if not cover.any():
        return
    haematoxylin *= 1 - np.float32(0.8) * cover
    eosin *= 1 - np.float32(0.8) * cover
    eosin += cover * _cells(where.seed, x, y)


def _cells(seed: int, x: Floats, y: Floats) -> Plane:
    """Dye of the red cells (h, w)."""
    at_x, at_y = (axis / _PITCH + _pushed(seed, k, x, y) for k, axis in enumerate((x[None, :], y[:, None])))
    j, i = np.floor(at_x).astype(np.int64), np.floor(at_y).astype(np.int64)
    columns, rows = (np.arange(k.min(), k.max() + 1) for k in (j, i))
    own = (i - rows[0]) * len(columns) + j - columns[0]
    draw = [hashed(seed, _CHANNEL + k, rows[:, None], columns[None, :]).take(own) for k in range(3)]
    room = 1 - 2 * _RADIUS / _PITCH
    dx, dy = at_x - j - 0.5 - room * (draw[0] - 0.5), at_y - i - 0.5 - room * (draw[1] - 0.5)
    disc = np.clip((_RADIUS - _PITCH * np.hypot(dx, dy)) * 1.2, 0, 1)
    return np.asarray(_DYE * (0.2 + disc * (0.5 + 0.5 * draw[2])), np.float32)


def _pushed(seed: int, axis: int, x: Floats, y: Floats) -> Floats:
    """How far the lattice is bent here, in its pitches: rows of cells would be seen otherwise."""
    wide, narrow = (spline(seed, _BEND + axis + k, pitch, x, y) for k, pitch in ((0, 60.0), (2, 14.0)))
    return 1.8 * wide.astype(np.float64) + 0.5 * narrow
