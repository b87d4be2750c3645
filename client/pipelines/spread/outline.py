"""Outlines of parts of a raster, in squares from its upper left corner."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Place = tuple[int, int]
"""x, y of a corner of a square."""

SIDES = (
    ((-1, 0), (0, 0), (1, 0)),
    ((0, 1), (1, 0), (1, 1)),
    ((1, 0), (1, 1), (0, 1)),
    ((0, -1), (0, 1), (0, 0)),
)
"""Of a square, clockwise: the (row, column) of the neighbour beyond it, and its ends as (x, y)."""


def outlines(mask: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Around each 4-connected part of `mask` (rows, columns): (vertices, 2) as x, y, and its squares.

    Only the outer one: holes are inside. Parts that touch at a corner have one each, so that each is a simple polygon.
    """
    count, labels = cv2.connectedComponents(np.pad(mask, 1).astype(np.uint8), connectivity=4)
    for number in range(1, count):
        part = labels == number
        _, outside = cv2.connectedComponents((~part).astype(np.uint8), connectivity=4)
        # The frame that was added joins all that lies outside.
        yield _around(outside != outside[0, 0]) - 1, int(part.sum())


def _around(part: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Of a part without holes."""
    following: dict[Place, Place] = {}
    for (down, across), (x0, y0), (x1, y1) in SIDES:
        border = part & ~np.roll(part, (-down, -across), (0, 1))
        for row, column in np.argwhere(border).tolist():
            following[column + x0, row + y0] = column + x1, row + y1
    first = min(following)
    ring = [first]
    while (place := following[ring[-1]]) != first:
        ring.append(place)
    points = np.array(ring, np.float32)
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    return points[(before != after).any(axis=1)]
