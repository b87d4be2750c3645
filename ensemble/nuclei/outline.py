"""The outline of an instance: a polygon through the middles of its outermost pixel edges.

Vertices are not on corners, so the polygon of a region that is joined across edges never touches itself; it passes
between the same pixel centres as the pixel edges do, and without holes its area is the region's pixels − ½.
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled

EAST = 0
"""Headings count clockwise as seen: east, south, west, north; the directions between them, eighths, likewise."""


@compiled("Tuple((int32[:, ::1], int64[::1]))(int32[::1], int64, int32[::1], int32[::1])")
def _trace(
    labels: NDArray[np.int32], stride: int, numbers: NDArray[np.int32], first: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    ahead = np.array((1, stride, -1, -stride))
    middle_x, middle_y = np.array((1, 2, 1, 0)), np.array((0, 1, 2, 1))
    vertices = np.empty((max(1024, 16 * len(numbers)), 2), np.int32)
    ends = np.empty(len(numbers), np.int64)
    used = 0
    for index in range(len(numbers)):
        label, pixel, heading = numbers[index], np.int64(first[index]), EAST
        arrived = -1
        while True:
            forward = pixel + ahead[heading]
            beside = forward + ahead[(heading + 3) & 3]
            # Diagonal neighbours are not joined: only a pixel straight ahead lets the outline go on or turn outwards.
            if labels[forward] != label:
                following, turn = pixel, 1
            elif labels[beside] != label:
                following, turn = forward, 0
            else:
                following, turn = beside, -1
            leaving = (2 * heading + turn) & 7
            if leaving != arrived:
                if used == len(vertices):
                    vertices = np.concatenate((vertices, np.empty_like(vertices)))
                row = pixel // stride
                vertices[used, 0] = 2 * (pixel - row * stride - 1) + middle_x[heading]
                vertices[used, 1] = 2 * (row - 1) + middle_y[heading]
                used += 1
            pixel, heading, arrived = following, (heading + turn) & 3, leaving
            if pixel == first[index] and heading == EAST:
                break
        ends[index] = used
    return vertices[:used].copy(), ends


def outlines(
    labels: NDArray[np.int32], numbers: NDArray[np.int32], first: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Outer outlines of the instances `numbers`, whose first pixels in raster order are `first`.

    Framed labels (H + 2, W + 2) → vertices (P, 2): x, y in tile pixels, multiples of ½; end of each outline among them
    (n,). Clockwise as seen, from the middle of the upper edge of the first pixel; only corners, the first not repeated.
    """
    vertices, ends = _trace(labels.reshape(-1), labels.shape[1], numbers, first)
    return vertices / 2, ends
