"""Random fields that are functions of the place alone: hashed lattices, interpolated by cubic B-splines.

No generator state is carried from place to place, so any part of a slide can be drawn at any time, in any order.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ODD = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SPREAD = 2.0
"""Brings the interpolated values back to a standard deviation of about one half."""


def hashed(seed: int, channel: int, i: Ints, j: Ints) -> Floats:
    """Uniform numbers in [0, 1) of the lattice nodes (i, j), arrays that broadcast (splitmix64, Steele et al. 2014)."""
    key = np.uint64((seed * 1_000_003 + channel * 7919) * _ODD[0] % 2**64)
    z = i.astype(np.uint64) * np.uint64(_ODD[1]) + j.astype(np.uint64) * np.uint64(_ODD[2]) + key
    for shift, odd in ((30, _ODD[1]), (27, _ODD[2])):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(odd)
    z ^= z >> np.uint64(31)
    return np.asarray((z >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def hashed_one(seed: int, channel: int, i: int, j: int) -> float:
    """The number of a single node."""
    return float(hashed(seed, channel, np.array([i]), np.array([j]))[0])


def spline(seed: int, channel: int, spacing: float, x: Floats, y: Floats) -> NDArray[np.float32]:
    """Smooth noise at every crossing of the columns `x` (W,) and the rows `y` (H,): (H, W), mean 0, deviation near 0.5.

    `spacing` is the lattice's pitch, in the unit of x and y.
    """
    columns, column_weights = _taps(x / spacing)
    rows, row_weights = _taps(y / spacing)
    j, i = np.arange(columns.min(), columns.max() + 4), np.arange(rows.min(), rows.max() + 4)
    nodes = (_SPREAD * (2 * hashed(seed, channel, i[:, None], j[None, :]) - 1)).astype(np.float32)
    by_row = _weighted(nodes, rows - i[0], row_weights.astype(np.float32)[:, :, None], axis=0)
    return _weighted(by_row, columns - j[0], column_weights.astype(np.float32)[:, None, :], axis=1)


def spline_at(seed: int, channel: int, spacing: float, x: Floats, y: Floats) -> Floats:
    """The same noise at single places near each other: x, y and the result have one shape."""
    if x.size == 0:
        return np.zeros(x.shape)
    columns, column_weights = _taps(x / spacing)
    rows, row_weights = _taps(y / spacing)
    j, i = np.arange(columns.min(), columns.max() + 4), np.arange(rows.min(), rows.max() + 4)
    nodes = _SPREAD * (2 * hashed(seed, channel, i[:, None], j[None, :]) - 1)
    corner = (rows - i[0]) * len(j) + columns - j[0]
    total = np.zeros(x.shape)
    for k in range(4):
        for m in range(4):
            total += row_weights[k] * column_weights[m] * nodes.take(corner + (k * len(j) + m))
    return total


def bilinear(grid: NDArray[np.float32], x: Floats, y: Floats) -> NDArray[np.float32]:
    """Values of `grid` (h, w) at every crossing of the columns x and the rows y, both counted in nodes of the grid."""
    j, i = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - j).astype(np.float32)[None, :], (y - i).astype(np.float32)[:, None]
    by_row = grid[i] + fy * (grid[i + 1] - grid[i])
    step = np.diff(by_row, axis=1)
    out = step.take(j, axis=1)
    out *= fx
    out += by_row.take(j, axis=1)
    return out


def _taps(u: Floats) -> tuple[Ints, Floats]:
    """First of the four nodes around each position u, and the four cubic B-spline weights, (4, *u.shape)."""
    floor = np.floor(u)
    t = u - floor
    rest = 1 - t
    square, cube = t * t, t * t * t
    weights = np.stack([rest * rest * rest, 3 * cube - 6 * square + 4, 3 * (t + square - cube) + 1, cube])
    weights /= 6
    return floor.astype(np.int64) - 1, weights


def _weighted(nodes: NDArray[np.float32], first: Ints, weights: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    # Plain products and sums, not a matrix product: BLAS rounds by shape, and a pixel must not depend on its block.
    total = nodes.take(first, axis=axis) * weights[0]
    for k in range(1, 4):
        term = nodes.take(first + k, axis=axis)
        term *= weights[k]
        total += term
    return total
