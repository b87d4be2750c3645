"""What of a slide the regions of a prepared picture cover, in rectangles of the slide."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.frame import Frame
from histoserve.client.grid import Rectangle

PARTS = 8
"""Of a turned region's side: what it covers is told in squares of this part of it."""


def covered(frame: Frame, p_regions: Sequence[Rectangle]) -> list[Rectangle]:
    """A rectangle a region; where the picture was turned by no quarter, strips that together cover as much."""
    if frame.is_identity:
        return list(p_regions)
    if frame.degrees % 90 == 0 or not p_regions:
        return [frame.around(region) for region in p_regions]
    outlines = np.stack([frame.outline(region) for region in p_regions])
    side = max(1, round(max(p_regions[0][2:]) / frame.scale / PARTS))
    first = np.floor(outlines.min(axis=(0, 1)) / side).astype(int)
    last = np.ceil(outlines.max(axis=(0, 1)) / side).astype(int)
    mask = np.zeros((last - first)[::-1], np.uint8)
    # OpenCV counts from the middle of the first square.
    corners = np.round((outlines / side - first - 0.5) * 16).astype(np.int32)
    for each in corners:
        cv2.fillConvexPoly(mask, each, (1,), cv2.LINE_8, 4)
    return [
        (int(x + first[0]) * side, int(y + first[1]) * side, int(length) * side, side)
        for y, row in enumerate(mask)
        for x, length in _runs(row)
    ]


def _runs(row: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """(start, length) of those above 0."""
    steps = np.diff(np.concatenate(([0], row, [0])).astype(np.int8))
    for start, end in zip(np.flatnonzero(steps > 0), np.flatnonzero(steps < 0), strict=True):
        yield int(start), int(end - start)
