"""Step 2 of the watershed: instances that step 1 split wrongly are merged and split again by shape ([0087], [0096])."""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled
from histoserve.ensemble.nuclei.components import join_pairs
from histoserve.ensemble.nuclei.flood import split_objects
from histoserve.ensemble.nuclei.measure import Measures
from histoserve.ensemble.nuclei.rules import Rules

MAX_PAIRS = 4
"""Instances that one pixel can touch."""


@compiled("int64(int32[::1], int64, int32[::1])")
def _list_borders(labels: NDArray[np.int32], stride: int, borders: NDArray[np.int32]) -> int:
    """Lists the pixels that touch another instance; returns their number."""
    count = 0
    for pixel in range(stride, len(labels) - stride):
        label = labels[pixel]
        if label > 0:
            up, left, right, down = labels[pixel - stride], labels[pixel - 1], labels[pixel + 1], labels[pixel + stride]
            # Bitwise: each of these alone is as often true as not, and a wrong guess costs more than all four.
            other = ((up > 0) & (up != label)) | ((left > 0) & (left != label))
            if other | ((right > 0) & (right != label)) | ((down > 0) & (down != label)):
                borders[count] = pixel
                count += 1
    return count


@compiled("int64[::1](int32[::1], uint8[::1], uint8[::1], int64)")
def border_pixels(
    labels: NDArray[np.int32], edge: NDArray[np.uint8], type_of: NDArray[np.uint8], stride: int
) -> NDArray[np.int64]:
    """One number for each pixel and each other instance of the same type that it touches across an edge.

    Flattened framed labels and edge strength with rows of `stride` pixels, type of each label → (lower label · n +
    higher label) · 256 + edge strength, where n is the number of labels.
    """
    size = np.int64(len(type_of))
    borders = np.empty(len(labels), np.int32)
    count = _list_borders(labels, stride, borders)
    result, used = np.empty(MAX_PAIRS * count, np.int64), 0
    for pixel in borders[:count]:
        label = labels[pixel]
        up, left, right, down = labels[pixel - stride], labels[pixel - 1], labels[pixel + 1], labels[pixel + stride]
        # A pixel counts once for another instance, on however many of its sides that lies.
        down = np.int32(0) if down in (up, left, right) else down
        right = np.int32(0) if right in (up, left) else right
        left = np.int32(0) if left == up else left
        for other in (up, left, right, down):
            if other > 0 and other != label and type_of[other] == type_of[label]:
                result[used] = (min(label, other) * size + max(label, other)) * 256 + edge[pixel]
                used += 1
    return result[:used].copy()


def weak_pairs(
    labels: NDArray[np.int32], edge: NDArray[np.uint8], type_of: NDArray[np.uint8], threshold: float
) -> NDArray[np.int64]:
    """Touching instances of one type between which the mean edge strength is below `threshold` (0-1); labels (n, 2)."""
    pixels = border_pixels(labels.reshape(-1), edge.reshape(-1), type_of, labels.shape[1])
    if not len(pixels):
        return np.empty((0, 2), np.int64)
    pixels.sort()
    pair, strength = pixels >> 8, pixels & 255
    start = np.flatnonzero(np.diff(pair, prepend=-1))
    count = np.diff(start, append=len(pair))
    weak = np.add.reduceat(strength, start) < threshold * 255 * count
    return np.stack(np.divmod(pair[start[weak]], len(type_of)), axis=1)


def merge_and_split(labels: NDArray[np.int32], edge: NDArray[np.uint8], measures: Measures, rules: Rules) -> bool:
    """Divides merged objects anew, in place with new labels; everything else stays. Returns whether there were any.

    `labels` and `edge` are framed (H + 2, W + 2); `measures` are those of `labels`.
    """
    pairs = weak_pairs(labels, edge, measures.type, rules.merge_threshold)
    if not len(pairs):
        return False
    count = len(measures.area)
    lowest = join_pairs(pairs, count)
    members = np.flatnonzero((np.bincount(lowest) > 1)[lowest])
    members = members[np.argsort(lowest[members], kind="stable")]
    start = np.flatnonzero(np.diff(lowest[members], prepend=-1))
    object_of = np.full(count, -1, np.int32)
    object_of[members] = np.repeat(np.arange(len(start)), np.diff(start, append=len(members)))
    box = measures.box[members]
    # + 1: from the tile's pixels to the frame's.
    boxes = 1 + np.hstack((np.minimum.reduceat(box[:, :2], start), np.maximum.reduceat(box[:, 2:], start)))
    split_objects(labels, object_of, boxes, rules.split_ratio, count)
    return True
