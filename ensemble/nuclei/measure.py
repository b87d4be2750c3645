"""What is counted of each instance: pixels, position, box, votes for its type."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled


@compiled("int64(int32[:, ::1])")
def renumber(labels: NDArray[np.int32]) -> int:
    """Numbers the instances of framed labels 1 … in raster order of their first pixels, in place; returns how many."""
    number = np.zeros(max(0, labels.max()) + 1, np.int32)
    count = 0
    for row in range(1, labels.shape[0] - 1):
        for column in range(1, labels.shape[1] - 1):
            label = labels[row, column]
            if label > 0:
                if number[label] == 0:
                    count += 1
                    number[label] = count
                labels[row, column] = number[label]
    return count


@compiled("void(int32[:, ::1], uint8[:, :, ::1], int64[:, ::1], int64[:, ::1], int32[:, ::1], int32[::1])")
def _measure(
    labels: NDArray[np.int32],
    maps: NDArray[np.uint8],
    sums: NDArray[np.int64],
    boxes: NDArray[np.int64],
    votes: NDArray[np.int32],
    first: NDArray[np.int32],
) -> None:
    height, width = maps.shape[:2]
    for row in range(height):
        column = 0
        while column < width:
            label = labels[row + 1, column + 1]
            if label <= 0:
                column += 1
                continue
            start = column
            while column < width and labels[row + 1, column + 1] == label:
                votes[label, maps[row, column, 2]] += 1
                column += 1
            if sums[label, 0] == 0:
                boxes[label] = start, row, column, row
                first[label] = (row + 1) * (width + 2) + start + 1
            length = column - start
            sums[label, 0] += length
            sums[label, 1] += length * (start + column)
            sums[label, 2] += length * (2 * row + 1)
            boxes[label, 0] = min(boxes[label, 0], start)
            boxes[label, 2] = max(boxes[label, 2], column)
            boxes[label, 3] = row + 1


@dataclass(frozen=True)
class Measures:
    """Of labels 0 … n; row 0, no instance, is all zero."""

    area: NDArray[np.int64]
    """Pixels, (n + 1,)"""
    centroid: NDArray[np.float64]
    """x, y: mean of the pixels' centres, in tile pixels; (n + 1, 2)"""
    box: NDArray[np.int64]
    """x0, y0, x1, y1 along pixel edges, in tile pixels; (n + 1, 4)"""
    type: NDArray[np.uint8]
    """The type that most pixels have, the lower of equals; (n + 1,)"""
    votes: NDArray[np.int64]
    """Pixels that have it; (n + 1,)"""
    first: NDArray[np.int32]
    """First pixel in raster order, in the flattened framed map; (n + 1,)"""


def measure(labels: NDArray[np.int32], maps: NDArray[np.uint8]) -> Measures:
    """Framed labels (H + 2, W + 2) and maps (H, W, 3), whose last channel are types."""
    count = max(0, int(labels.max())) + 1
    sums, box = np.zeros((count, 3), np.int64), np.zeros((count, 4), np.int64)
    votes, first = np.zeros((count, int(maps[..., 2].max()) + 1), np.int32), np.zeros(count, np.int32)
    _measure(labels, maps, sums, box, votes, first)
    area = sums[:, 0]
    kind = votes.argmax(axis=1)
    centroid = sums[:, 1:] / (2 * np.maximum(area, 1)[:, None])
    winning = votes[np.arange(count), kind].astype(np.int64)
    return Measures(area, centroid, box, kind.astype(np.uint8), winning, first)
