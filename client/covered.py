"""What of a slide the regions of a prepared picture cover, in rectangles of the slide."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.frame import Frame
from histoserve.client.grid import Rectangle

PARTS = 8
"""Of a turned region's side: what it covers is told in squares of this part of it."""


def covered(frame: Frame, p_regions: Sequence[Rectangle]) -> Sequence[Rectangle]:
    """A rectangle a region; where the picture was turned by no quarter, strips that together cover as much."""
    if frame.is_identity:
        return p_regions
    if frame.degrees % 90 == 0 or not p_regions:
        return [frame.around(region) for region in p_regions]
    corners = np.concatenate([frame.outline(region) for region in p_regions]).astype(np.float64)
    side = max(1, round(max(p_regions[0][2:]) / frame.scale / PARTS))
    first, last = np.floor(corners.min(axis=0) / side).astype(int), np.ceil(corners.max(axis=0) / side).astype(int)
    columns, rows = (last - first).tolist()
    middles = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + first + 0.5) * side
    mask = _within(frame.p_points(middles.reshape(-1, 2)), p_regions).reshape(rows, columns)
    return [
        (int(x + first[0]) * side, int(y + first[1]) * side, int(length) * side, side)
        for y, row in enumerate(mask)
        for x, length in _runs(row)
    ]


def _within(p_points: NDArray[np.float64], p_regions: Sequence[Rectangle]) -> NDArray[np.bool_]:
    """Which of the points (n, 2) lie in any of the regions, whose borders are taken to PARTS of the largest side."""
    unit = max(max(region[2:]) for region in p_regions) / PARTS
    starts = np.array([region[:2] for region in p_regions])
    edges = np.rint(np.stack((starts, starts + [region[2:] for region in p_regions])) / unit).astype(int)
    first, last = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
    mask = np.zeros((last - first)[::-1], np.bool_)
    for (left, top), (right, bottom) in (edges - first).transpose(1, 0, 2).tolist():
        mask[top:bottom, left:right] = True
    column, row = (np.floor(p_points / unit).astype(int) - first).T
    inside = (row >= 0) & (row < mask.shape[0]) & (column >= 0) & (column < mask.shape[1])
    return inside & mask[row.clip(0, mask.shape[0] - 1), column.clip(0, mask.shape[1] - 1)]


def _runs(row: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """(start, length) of those that are true."""
    steps = np.diff(np.concatenate(([0], row, [0])).astype(np.int8))
    for start, end in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
        yield int(start), int(end - start)
