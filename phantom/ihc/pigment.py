"""DAB in the cells that express a marker, and brown grains that are none."""

import numpy as np

from histoserve.phantom.he.ground import Ground, Plane
from histoserve.phantom.lesion.area import Area
from histoserve.phantom.noise import Floats, Ints, hashed, spline

PIGMENT = 20
"""Channel of the area with grains of pigment."""

_GRAINS, _CLUSTERS, _AMOUNT = 2130, 2131, 2140
_PALE = (0.14, 0.36)
"""DAB of a pale positive nucleus, units."""


def amounts(seed: int, keys: Ints, pale: float) -> Floats:
    """DAB of positive cells (N,), in units; `pale` is the share of those that are hardly stained."""
    draw = [hashed(seed, _AMOUNT + k, keys, np.zeros(1, np.int64)) for k in range(3)]
    strong = 0.55 + 1.15 * draw[1] ** 1.2
    return np.asarray(np.where(draw[0] < pale, _PALE[0] + draw[1] * (_PALE[1] - _PALE[0]), strong))


def grains(where: Area, ground: Ground, x: Floats, y: Floats) -> Plane:
    """Brown pigment that macrophages took up, in units, at the crossings of the columns x and the rows y (µm)."""
    [depth] = ground.on_nodes(lambda *at: [np.maximum(where.depth(*at), -99.0)], x, y)
    cover = np.clip(depth / np.float32(15), 0, 1)
    if not cover.any():
        return np.zeros((len(y), len(x)), np.float32)
    cover *= np.clip(spline(where.seed, _CLUSTERS, 11.0, x, y) * np.float32(3) - np.float32(1.2), 0, 1)
    return np.asarray(cover * np.clip(spline(where.seed, _GRAINS, 1.3, x, y) * np.float32(3), 0, 1.3), np.float32)
