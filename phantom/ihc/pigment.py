"""DAB in the cells that express a marker, and brown grains that are none."""

import numpy as np

from histoserve.phantom.he.ground import Ground, Plane
from histoserve.phantom.he.tissue import Tissue
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


def grains(where: Area, tissue: Tissue, ground: Ground, x: Floats, y: Floats) -> Plane:
    """Brown pigment that macrophages between the glands took up, units, at crossings of columns x and rows y (µm)."""
    if not np.isfinite(where.level):
        return np.zeros((len(y), len(x)), np.float32)
    depth, gland = ground.on_nodes(lambda *at: [where.depth(*at), tissue.epithelium(*at)[0]], x, y)
    cover = np.clip(depth / np.float32(15), 0, 1) * np.clip(-gland / np.float32(4), 0, 1)
    if not cover.any():
        return np.zeros((len(y), len(x)), np.float32)
    cover *= np.clip(spline(where.seed, _CLUSTERS, 11.0, x, y) * np.float32(3) - np.float32(1.2), 0, 1)
    return np.asarray(
        cover * np.clip(spline(where.seed, _GRAINS, 1.1, x, y) * np.float32(3) - np.float32(0.4), 0, 1.3), np.float32
    )
