"""Features of a tile's true nuclei, by outline alone: how many, how large and round, how regular, how arranged."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from histoserve.phantom.lesion.share import centroids

Floats = NDArray[np.float64]

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.97)
_NEIGHBOURS = 6
_AREAS = (0, 15, 30, 45, 60, 75, 95, 120, 1000)
"""Bounds of the classes of size, µm²."""
_ROUND = (0, 0.45, 0.62, 0.78, 1.01)
"""Bounds of the classes of short over long axis."""
_SPREAD = (0, 0.15, 0.25, 0.35, 0.5, 10)
"""Bounds of the classes of how much sizes among neighbours vary."""
_HOLLOWS = (0, 5, 7, 9, 12, 16, 22, 1000)
"""Bounds of the distance from the next nucleus, µm, at places where it is greatest."""
_NEAR = 45.0


def nuclear(outlines: Floats, side_um: float) -> Floats:
    """Features of the nuclei (N, V, 2), µm, of a square tile."""
    at = centroids(outlines)
    area, roundness, angle = _shapes(outlines - at[:, None])
    tree = cKDTree(at)
    distance, near = tree.query(at, min(_NEIGHBOURS + 1, len(at)))
    variety = area[near].std(axis=1) / area[near].mean(axis=1)
    turn = angle[near] - angle[:, None]
    order = abs(np.exp(2j * turn).mean(axis=1))
    columns = [area, roundness, distance[:, 1], distance[:, -1], variety, order]
    quantiles = [np.quantile(column, _QUANTILES) for column in columns]
    large = (area > 50) & (roundness > 0.55)
    kinds, _, _ = np.histogram2d(area, roundness, [np.array(_AREAS), np.array(_ROUND)])
    mixed, _, _ = np.histogram2d(area, variety, [np.array(_AREAS), np.array(_SPREAD)])
    neighbours = [len(at) / side_um**2, *(_around(tree, at[large], r) for r in (12.0, 20.0, 35.0))]
    return np.concatenate(
        [*quantiles, kinds.ravel() / len(at), mixed.ravel() / len(at), neighbours, _hollows(at, large, side_um)]
    )


def _shapes(outlines: Floats) -> tuple[Floats, Floats, Floats]:
    """Area, short over long axis, and direction of the long axis, of outlines around their centroids."""
    following = np.roll(outlines, -1, axis=1)
    area = abs((outlines[..., 0] * following[..., 1] - outlines[..., 1] * following[..., 0]).sum(axis=1)) / 2
    moments = np.einsum("nvi,nvj->nij", outlines, outlines)
    values, vectors = np.linalg.eigh(moments)
    return area, np.sqrt(values[:, 0] / values[:, 1]), np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1])


def _around(tree: cKDTree, at: Floats, radius: float) -> float:
    return float(np.mean(tree.query_ball_point(at, radius, return_length=True))) if len(at) else 0.0


def _hollows(at: Floats, large: NDArray[np.bool_], side_um: float) -> Floats:
    """How often places farthest from all nuclei are how far from them, per large nucleus, where many of these are
    around: the holes of a cribriform island."""
    side = int(side_um / 2)
    taken = np.ones((side, side), bool)
    column, row = np.clip((at / 2).astype(int), 0, side - 1).T
    taken[row, column] = False
    depth = distance_transform_edt(taken) * 2
    inner = depth[1:-1, 1:-1]
    shifts = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    peaks = np.all([inner >= depth[i : side - 2 + i, j : side - 2 + j] for i, j in shifts], axis=0) & (inner > 5)
    y, x = np.nonzero(peaks)
    if not large.any() or not len(x):
        return np.zeros(len(_HOLLOWS) - 1)
    places = np.stack([x + 1.0, y + 1.0], axis=1) * 2
    crowded = cKDTree(at[large]).query_ball_point(places, _NEAR, return_length=True) > 18
    return np.histogram(inner[y, x][crowded], _HOLLOWS)[0] / (large.sum() + 20)
