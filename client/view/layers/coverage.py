"""How much of each pixel polygons fill, exactly, whatever their size: nothing is drawn, areas are added up.

Each edge adds, to the pixels right of it, its height: up on one side of a polygon, down on the other. What is left is
the area; the method of font rasterisers (signed areas, as FreeType's and Raph Levien's).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def coverage(
    points: Floats, starts: NDArray[np.int64], hole: NDArray[np.bool_], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Of pixels (height, width), the share that rings fill; more than 1 where they overlap.

    `points` (n, 2) in px from the upper left corner, each ring's first one at `starts`; which way a ring goes round
    does not matter, a hole is taken away.
    """
    width, height = size
    begins, ends = points, points[_following(len(points), starts)]
    turns = np.add.reduceat(begins[:, 0] * ends[:, 1] - ends[:, 0] * begins[:, 1], starts)
    sign = np.where((turns > 0) == hole, 1.0, -1.0)
    weight = np.repeat(sign, np.diff(np.append(starts, len(points))))
    touching = _touching(begins, ends, width, height)
    begins, ends, weight = begins[touching], ends[touching], weight[touching]
    rows, edge, begins, ends = _cut(begins, ends, 1, height)
    inside = (rows >= 0) & (rows < height)
    rows, edge = rows[inside], edge[inside]
    columns, piece, begins, ends = _cut(begins[inside], ends[inside], 0, width)
    rows, weight = rows[piece], weight[edge[piece]]
    rise = (ends[:, 1] - begins[:, 1]) * weight
    # Of what lies left of the picture all counts, as if it stood at its border.
    share = ((begins[:, 0] + ends[:, 0]) / 2 - columns).clip(0, 1) * (columns >= 0)
    columns = np.maximum(columns, 0)
    place = rows * (width + 2) + columns
    cells = height * (width + 2)
    added = np.bincount(place, rise * (1 - share), cells) + np.bincount(place + 1, rise * share, cells + 1)[:cells]
    return added.reshape(height, width + 2)[:, :width].cumsum(axis=1).astype(np.float32)


def _touching(begins: Floats, ends: Floats, width: int, height: int) -> NDArray[np.bool_]:
    """Edges that add anything: those beside the picture's rows, and not right of it."""
    low, high = np.minimum(begins, ends), np.maximum(begins, ends)
    added: NDArray[np.bool_] = (high[:, 1] > 0) & (low[:, 1] < height) & (low[:, 0] < width)
    return added


def _following(count: int, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each point the next one of its ring."""
    following = np.arange(1, count + 1)
    following[np.append(starts[1:], count) - 1] = starts
    return following


def _cut(
    begins: Floats, ends: Floats, axis: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
    """Edges in pieces that lie in one row (axis 1) or column (0) each.

    Of each piece: its row or column, −1 for all before and `length` for all after the picture; its edge; its ends.
    """
    low, high = np.minimum(begins[:, axis], ends[:, axis]), np.maximum(begins[:, axis], ends[:, axis])
    first = np.floor(low).clip(-1, length).astype(np.int64)
    last = np.maximum((np.ceil(high) - 1).clip(-1, length).astype(np.int64), first)
    pieces = last - first + 1
    edge = np.repeat(np.arange(len(first)), pieces)
    cell = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + first[edge]
    lower = np.where(cell == first[edge], low[edge], cell)
    upper = np.where(cell == last[edge], high[edge], cell + 1)
    along = ends[edge] - begins[edge]
    # An edge along the other axis is one piece.
    moving = np.where(along[:, axis] == 0, 1, along[:, axis])
    start = begins[edge]
    shares = np.sort(np.stack((lower - start[:, axis], upper - start[:, axis])) / moving, axis=0)
    shares[:, along[:, axis] == 0] = np.array([[0.0], [1.0]])
    return cell, edge, start + along * shares[0][:, None], start + along * shares[1][:, None]
