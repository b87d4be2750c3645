"""Step 1 of the watershed: nucleus mask and edge strength → instances ([0086], [0094-0095])."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled
from histoserve.ensemble.nuclei.components import EDGES, fill_holes, find_runs, join_runs, paint
from histoserve.ensemble.nuclei.flood import OUTSIDE, UNLABELLED, flood
from histoserve.ensemble.nuclei.rules import Rules

LEVELS = 256
"""Edge strength is a byte."""


@compiled("void(uint8[:, :, ::1], int64, uint8[:, ::1], uint8[:, ::1])")
def _framed(maps: NDArray[np.uint8], level: int, mask: NDArray[np.uint8], edge: NDArray[np.uint8]) -> None:
    for row in range(maps.shape[0]):
        for column in range(maps.shape[1]):
            mask[row + 1, column + 1] = maps[row, column, 0] >= level
            edge[row + 1, column + 1] = maps[row, column, 1]


def framed_mask_and_edge(maps: NDArray[np.uint8], level: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Maps (H, W, 3) → nucleus mask (0 or 1) and edge strength, both (H + 2, W + 2)."""
    height, width = maps.shape[:2]
    mask, edge = np.zeros((height + 2, width + 2), np.uint8), np.zeros((height + 2, width + 2), np.uint8)
    _framed(maps, level, mask, edge)
    return mask, edge


def seeded(mask: NDArray[np.uint8], edge: NDArray[np.uint8], rules: Rules) -> NDArray[np.int32]:
    """Labels before the flood, framed: OUTSIDE, UNLABELLED, and a number for each marker.

    A component of the mask without a marker is one, so that none is lost.
    """
    labels = np.full(mask.shape, OUTSIDE, np.int32)
    flat = labels.reshape(-1)
    runs, component = _large(mask, rules.min_area_px)
    paint(flat, runs, np.zeros(len(runs), np.int32))
    inner = ((labels == 0) & (edge < rules.edge_level)).view(np.uint8)
    if rules.opening_px:
        inner = cv2.morphologyEx(inner, cv2.MORPH_OPEN, disc(rules.opening_px))
    markers, marker = _large(inner, rules.min_marker_px)
    paint(flat, markers, marker + 1)
    bare = np.ones(component.max(initial=-1) + 1, bool)
    bare[component[np.searchsorted(runs[:, 0], markers[:, 0], side="right") - 1]] = False
    alone = bare[component]
    paint(flat, runs[alone], (component[alone] + marker.max(initial=-1) + 2).astype(np.int32))
    return labels


def disc(radius: int) -> NDArray[np.uint8]:
    """The pixels whose centres lie within `radius` of the middle one."""
    offset = np.arange(-radius, radius + 1)
    return (offset[:, None] ** 2 + offset**2 <= radius**2).astype(np.uint8)


def _large(mask: NDArray[np.uint8], min_px: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Runs of the components that have at least `min_px` pixels, and the component of each run."""
    runs = find_runs(mask)
    component, area = join_runs(runs, mask.shape[1], EDGES)
    large = (area >= min_px)[component]
    return runs[large], component[large]


def split_by_edges(mask: NDArray[np.uint8], edge: NDArray[np.uint8], rules: Rules) -> NDArray[np.int32]:
    """Framed mask and edge strength → framed labels: 1 … for instances (with gaps), OUTSIDE elsewhere.

    The holes of `mask` are filled in place.
    """
    if rules.max_hole_px:
        fill_holes(mask, rules.max_hole_px)
    labels = seeded(mask, edge, rules)
    flood(labels.reshape(-1), edge.reshape(-1), mask.shape[1], LEVELS)
    return labels


def absorb_small(labels: NDArray[np.int32], edge: NDArray[np.uint8], min_px: int) -> None:
    """Gives the pixels of pieces smaller than `min_px` to the neighbours that they touch, in place.

    Both steps may cut off a piece of a few pixels, which is no nucleus. Its pixels are flooded once more, from the
    pieces that are large enough; where none touches, all of it is one nucleus, since the mask has no smaller ones.
    """
    area = np.bincount(np.maximum(labels, 0).reshape(-1))
    small = (area > 0) & (area < min_px)
    small[0] = False
    if not small.any():
        return
    labels[small[np.maximum(labels, 0)]] = UNLABELLED
    flood(labels.reshape(-1), edge.reshape(-1), labels.shape[1], LEVELS)
    runs = find_runs((labels == UNLABELLED).view(np.uint8))
    component, _ = join_runs(runs, labels.shape[1], EDGES)
    paint(labels.reshape(-1), runs, component + np.int32(len(area)))


@compiled("void(int32[::1], int64, int32[::1])")
def _only_neighbours(labels: NDArray[np.int32], stride: int, only: NDArray[np.int32]) -> None:
    """Into `only`, 0 before: the label that is the only one beside each instance; OUTSIDE where there are others."""
    for pixel in range(stride, len(labels) - stride):
        label = labels[pixel]
        if label > 0:
            for neighbour in (pixel - stride, pixel - 1, pixel + 1, pixel + stride):
                beside = labels[neighbour]
                if beside != label and only[label] != beside:
                    only[label] = beside if only[label] == 0 else OUTSIDE


def absorb_enclosed(labels: NDArray[np.int32]) -> None:
    """Gives an instance that touches nothing but one other to that one, in place: its outline would lie in the other's.

    So does one that, once that is done, touches but one other; each round leaves fewer.
    """
    while True:
        only = np.zeros(labels.max(initial=0) + 1, np.int32)
        _only_neighbours(labels.reshape(-1), labels.shape[1], only)
        enclosed = only > 0
        if not enclosed.any():
            return
        inside = labels > 0
        labels[inside] = np.where(enclosed, only, np.arange(len(only), dtype=np.int32))[labels[inside]]
