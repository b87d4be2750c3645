"""Marker-controlled watershed, exact and in linear time.

The water rises: a pixel is reached at its own level or, behind a ridge, at the level of the pixel it was reached from.
Pixels are taken by level, then by age, the oldest first, as scikit-image's `watershed` does since 0.25; markers flood
before everything else, in raster order. The order inside one component of the mask does not depend on anything outside
it, so an object is divided the same in every tile that holds it.
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled

OUTSIDE, UNLABELLED = -1, 0
"""Labels of a framed map that are no instance: what must not be flooded, and what is to be."""


@compiled("int64(int32[::1], int64, int32[::1])")
def _shores(labels: NDArray[np.int32], stride: int, shores: NDArray[np.int32]) -> int:
    """Lists the marker pixels that have something to flood, in raster order; returns their number."""
    count = 0
    for pixel in range(stride, len(labels) - stride):
        if labels[pixel] > 0 and not (
            labels[pixel - 1] and labels[pixel + 1] and labels[pixel - stride] and labels[pixel + stride]
        ):
            shores[count] = pixel
            count += 1
    return count


@compiled("void(int32[::1], uint8[::1], int64, int64)", "void(int32[::1], int32[::1], int64, int64)")
def flood(labels: NDArray[np.int32], landscape: NDArray[np.integer], stride: int, levels: int) -> None:
    """Floods the UNLABELLED pixels of flattened framed `labels` from the markers (> 0), in place, across pixel edges.

    `landscape` has the same shape, values in 0 … levels − 1, and a map's rows are `stride` pixels long. Each level
    has a first-in-first-out queue; as a pixel enters one queue once, all queues share one list.
    """
    shores = np.empty(len(labels), np.int32)
    place, following = np.empty(len(labels), np.int32), np.empty(len(labels), np.int32)
    markers = _shores(labels, stride, shores)
    head, tail = np.full(levels, -1, np.int32), np.empty(levels, np.int32)
    count, level, marker = 0, 0, 0
    while True:
        if marker < markers:
            pixel = shores[marker]
            marker += 1
        else:
            while level < levels and head[level] < 0:
                level += 1
            if level == levels:
                return
            pixel = place[head[level]]
            head[level] = following[head[level]]
        for neighbour in (pixel - stride, pixel - 1, pixel + 1, pixel + stride):
            if labels[neighbour] == 0:
                labels[neighbour] = labels[pixel]
                value = max(int(landscape[neighbour]), level)
                place[count], following[count] = neighbour, -1
                if head[value] < 0:
                    head[value] = count
                else:
                    following[tail[value]] = count
                tail[value] = count
                count += 1
