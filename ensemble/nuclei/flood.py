"""Marker-controlled watershed, exact and in linear time: of a whole map, or of single objects by their own shape.

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


@compiled("int32[:, ::1](int32[:, ::1])")
def _column_distance(inside: NDArray[np.int32]) -> NDArray[np.int32]:
    """Framed 0/1 map → distance of each pixel to the nearest outside pixel of its column."""
    rows, columns = inside.shape
    heights = inside.copy()
    for row in range(1, rows):
        for column in range(columns):
            if heights[row, column]:
                heights[row, column] = heights[row - 1, column] + 1
    for row in range(rows - 2, -1, -1):
        for column in range(columns):
            heights[row, column] = min(heights[row, column], heights[row + 1, column] + 1)
    return heights


@compiled("int32[:, ::1](int32[:, ::1])")
def squared_distance(inside: NDArray[np.int32]) -> NDArray[np.int32]:
    """Framed 0/1 map → squared Euclidean distance of each pixel's centre to the nearest outside pixel's, exact.

    Distances along columns, then in each row the lower envelope of the parabolas (x − i)² + height(i)² (Meijster,
    Roerdink and Hesselink, 2000).
    """
    rows, columns = inside.shape
    heights = _column_distance(inside)
    result = np.zeros((rows, columns), np.int32)
    lowest, begin = np.empty(columns, np.int64), np.empty(columns, np.int64)
    for row in range(1, rows - 1):
        last = 0
        lowest[0], begin[0] = 0, 0
        for column in range(1, columns):
            height = np.int64(heights[row, column])
            while last >= 0:
                other = lowest[last]
                at = begin[last] - other
                if at * at + np.int64(heights[row, other]) ** 2 <= (begin[last] - column) ** 2 + height * height:
                    break
                last -= 1
            if last < 0:
                last = 0
                lowest[0], begin[0] = column, 0
                continue
            other = lowest[last]
            sum_of_squares = column * column - other * other + height * height - np.int64(heights[row, other]) ** 2
            start = 1 + sum_of_squares // (2 * (column - other))
            if start < columns:
                last += 1
                lowest[last], begin[last] = column, start
        for column in range(columns - 1, -1, -1):
            at = column - lowest[last]
            result[row, column] = at * at + np.int64(heights[row, lowest[last]]) ** 2
            if column == begin[last]:
                last -= 1
    return result


@compiled("int32(int32[::1], boolean[::1], int64, int32)")
def _mark(labels: NDArray[np.int32], marker: NDArray[np.bool_], stride: int, label: int) -> int:
    """Gives each component of `marker`, joined across edges, the next label from `label` on; returns the one after."""
    stack = np.empty(len(labels), np.int32)
    for first in range(len(labels)):
        if not marker[first] or labels[first] != 0:
            continue
        stack[0], depth, labels[first] = first, 1, label
        while depth:
            depth -= 1
            pixel = stack[depth]
            for neighbour in (pixel - stride, pixel - 1, pixel + 1, pixel + stride):
                if marker[neighbour] and labels[neighbour] == 0:
                    labels[neighbour] = label
                    stack[depth] = neighbour
                    depth += 1
        label += 1
    return label


@compiled("void(int32[:, ::1], int32[::1], int64[:, ::1], float64, int32)")
def split_objects(
    labels: NDArray[np.int32], object_of: NDArray[np.int32], boxes: NDArray[np.int64], ratio: float, label: int
) -> None:
    """Divides objects by their shape, each alone in its own box; in place, with new labels from `label` on.

    `labels` framed (H + 2, W + 2); `object_of` each label: an index of `boxes`, or −1: to be left alone; `boxes`
    (n, 4): x0, y0, x1, y1 in the frame's pixels, ends exclusive. Markers: distance to the outside at least `ratio` of
    the object's own maximum; landscape: the squared distance, upside down.
    """
    # Objects in the loop may enclose pixels that already have new labels: those belong to no old object.
    for index in range(len(boxes)):
        x0, y0, x1, y1 = boxes[index]
        window = labels[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1]
        inside = np.zeros(window.shape, np.int32)
        for row in range(1, window.shape[0] - 1):
            for column in range(1, window.shape[1] - 1):
                old = window[row, column]
                inside[row, column] = 0 < old < len(object_of) and object_of[old] == index
        distance = squared_distance(inside).reshape(-1)
        highest = distance.max()
        parts = (inside.reshape(-1) - 1).astype(np.int32)
        stride = window.shape[1]
        label = _mark(parts, distance >= max(1.0, ratio * ratio * highest), stride, label)
        flood(parts, (highest - distance).astype(np.int32), stride, highest + 1)
        for row in range(1, window.shape[0] - 1):
            for column in range(1, window.shape[1] - 1):
                part = parts[row * stride + column]
                if part > 0:
                    window[row, column] = part
