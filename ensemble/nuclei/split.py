"""Objects are divided by their own shape: from the places deepest inside them, along the distances to the outside."""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled
from histoserve.ensemble.nuclei.flood import flood


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


@compiled("int64(int32[::1], boolean[::1], int64, int64)")
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


@compiled("Tuple((int32[::1], int32[::1], int64))(int32[:, :], int32[::1], int64, float64, int64)")
def _seeded(
    window: NDArray[np.int32], object_of: NDArray[np.int32], index: int, ratio: float, label: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Object `index` in a framed window of labels, flattened: seeds from `label` on, landscape, the label after."""
    inside = np.zeros(window.shape, np.int32)
    for row in range(1, window.shape[0] - 1):
        for column in range(1, window.shape[1] - 1):
            old = window[row, column]
            # Objects may enclose pixels that were divided before: those have new labels, which no object has.
            inside[row, column] = 0 < old < len(object_of) and object_of[old] == index
    distance = squared_distance(inside).reshape(-1)
    highest = distance.max()
    seeds = (inside.reshape(-1) - 1).astype(np.int32)
    after = _mark(seeds, distance >= max(1.0, ratio * ratio * highest), window.shape[1], label)
    return seeds, (highest - distance).astype(np.int32), after


def split_objects(
    labels: NDArray[np.int32], object_of: NDArray[np.int32], boxes: NDArray[np.int64], ratio: float, label: int
) -> None:
    """Divides objects by their shape, each alone in its own box; in place, with new labels from `label` on.

    `labels` framed (H + 2, W + 2); `object_of` each label: an index of `boxes`, or −1: to be left alone; `boxes`
    (n, 4): x0, y0, x1, y1 in the frame's pixels, ends exclusive. Markers: distance to the outside at least `ratio` of
    the object's own maximum; landscape: the squared distance, upside down.
    """
    # Not one kernel: it would call the flood's, which stands in another file (see `compiled`).
    for index, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        window = labels[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1]
        parts, landscape, label = _seeded(window, object_of, index, ratio, label)
        # The window's corner is outside, where the landscape is highest.
        flood(parts, landscape, window.shape[1], int(landscape[0]) + 1)
        divided = parts.reshape(window.shape)
        np.copyto(window, divided, where=divided > 0)
