"""Connected components of a framed mask, as runs: mask → runs → component of each run.

A *framed* map has one pixel of nothing around it, (H + 2, W + 2), so that neighbours need no bounds check. A run is
`start, end` (exclusive) in the flattened map.
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled

EDGES, CORNERS = 0, 1
"""How pixels join: across edges (4 neighbours), or across corners too (8)."""


def find_runs(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Framed mask (0 or 1) → runs of 1 in raster order, (n, 2)."""
    flat = mask.reshape(-1)
    return (np.flatnonzero(flat[1:] != flat[:-1]) + 1).reshape(-1, 2)


@compiled("int64(int32[::1], int64)")
def _root(parent: NDArray[np.int32], run: int) -> int:
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled("Tuple((int32[::1], int64[::1]))(int64[:, ::1], int64, int64)")
def join_runs(runs: NDArray[np.int64], stride: int, reach: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Runs in raster order of a map with rows of `stride` pixels → component of each run, area of each component.

    Components count from 0 in raster order of their first pixels. `reach` is EDGES or CORNERS.
    """
    parent = np.arange(len(runs), dtype=np.int32)
    first = 0
    for run in range(len(runs)):
        start, end = runs[run, 0] - stride - reach, runs[run, 1] - stride + reach
        while runs[first, 1] <= start:
            first += 1
        above = first
        while runs[above, 0] < end:
            one, other = _root(parent, run), _root(parent, above)
            # The smaller index stays the root, so that roots appear in raster order below.
            parent[max(one, other)] = min(one, other)
            above += 1
    component = np.empty(len(runs), np.int32)
    area = np.zeros(len(runs), np.int64)
    count = 0
    for run in range(len(runs)):
        root = _root(parent, run)
        if root == run:
            component[run] = count
            count += 1
        component[run] = component[root]
        area[component[run]] += runs[run, 1] - runs[run, 0]
    return component, area[:count].copy()


@compiled("int32[::1](int64[:, ::1], int64)")
def join_pairs(pairs: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Pairs (n, 2) of 0 … count − 1 → the lowest number that each is joined to, over any number of pairs; (count,)."""
    parent = np.arange(count, dtype=np.int32)
    for pair in range(len(pairs)):
        one, other = _root(parent, pairs[pair, 0]), _root(parent, pairs[pair, 1])
        parent[max(one, other)] = min(one, other)
    for number in range(count):
        parent[number] = _root(parent, number)
    return parent


@compiled("void(uint8[::1], int64[:, ::1], uint8[::1])", "void(int32[::1], int64[:, ::1], int32[::1])")
def paint(flat: NDArray[np.generic], runs: NDArray[np.int64], values: NDArray[np.generic]) -> None:
    """Sets the pixels of each run to the run's value."""
    for run in range(len(runs)):
        flat[runs[run, 0] : runs[run, 1]] = values[run]


def fill_holes(mask: NDArray[np.uint8], max_hole_px: int) -> None:
    """Fills the holes of a framed mask in place: background, joined across corners, that touches no border of the tile.

    What touches the border may go on in the next tile, so no tile can call it a hole.
    """
    stride = mask.shape[1]
    background = np.zeros_like(mask)
    background[1:-1, 1:-1] = 1 - mask[1:-1, 1:-1]
    runs = find_runs(background)
    component, area = join_runs(runs, stride, CORNERS)
    row, column = np.divmod(runs, stride)
    border = (row[:, 0] == 1) | (row[:, 0] == mask.shape[0] - 2) | (column[:, 0] == 1) | (column[:, 1] == stride - 1)
    hole = area <= max_hole_px
    hole[component[border]] = False
    holes = runs[hole[component]]
    paint(mask.reshape(-1), holes, np.ones(len(holes), np.uint8))
