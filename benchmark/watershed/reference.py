"""The watershed stage once more, as its method reads, with SciPy and scikit-image: the baseline."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import find_contours
from skimage.morphology import disk
from skimage.segmentation import watershed

from histoserve.ensemble.nuclei.rules import Rules

Labels = NDArray[np.int32]


def label_map(maps: NDArray[np.uint8], rules: Rules) -> Labels:
    """Maps (H, W, 3) → labels (H, W)."""
    labels = step_1(maps, rules)
    labels = step_2(labels, maps, rules)
    labels = without_small(labels, maps, rules.min_area_px)
    labels = without_enclosed(labels)
    return in_raster_order(labels)


def step_1(maps: NDArray[np.uint8], rules: Rules) -> Labels:
    mask = without_holes(maps[..., 0] >= rules.foreground_threshold * 255, rules.max_hole_px)
    component, _ = ndimage.label(mask)
    area_of_component = np.bincount(component.ravel())
    mask &= (area_of_component >= rules.min_area_px)[component]
    component[~mask] = 0
    inner = mask & (maps[..., 1] < rules.edge_threshold * 255)
    marker, count = ndimage.label(ndimage.binary_opening(inner, disk(rules.opening_px)))
    area = np.bincount(marker.ravel())
    marker[(area < rules.min_marker_px)[marker]] = 0
    bare = np.bincount(component[marker > 0], minlength=len(area_of_component)) == 0
    alone = bare[component] & mask
    marker[alone] = count + component[alone]
    return flooded(maps[..., 1].astype(np.float64), marker, mask)


def without_holes(mask: NDArray[np.bool_], max_hole_px: int) -> NDArray[np.bool_]:
    background, _ = ndimage.label(~mask, np.ones((3, 3)))
    area = np.bincount(background.ravel())
    border = np.unique(np.concatenate((background[0], background[-1], background[:, 0], background[:, -1])))
    hole = area <= max_hole_px
    hole[border] = False
    hole[0] = False
    return mask | hole[background]


def flooded(landscape: NDArray[np.float64], marker: Labels, mask: NDArray[np.bool_]) -> Labels:
    """Watershed that takes markers first, in raster order: each of their pixels is sunk below all the rest."""
    pixels = np.flatnonzero(marker)
    landscape = landscape.copy()
    landscape.flat[pixels] = landscape.min(initial=0) - len(pixels) + np.arange(len(pixels))
    result: Labels = watershed(landscape, marker, mask=mask)
    return result


def step_2(labels: Labels, maps: NDArray[np.uint8], rules: Rules) -> Labels:
    boxes = ndimage.find_objects(labels)
    size = len(boxes) + 1
    kinds = np.zeros(size, int)
    for label, box in enumerate(boxes, 1):
        kinds[label] = 0 if box is None else vote(labels[box] == label, maps[box])[0]
    pairs = weak_pairs(labels, maps[..., 1], kinds, rules.merge_threshold)
    _, group = connected_components(coo_array((np.ones(len(pairs)), pairs.T), (size, size)), directed=False)
    merged = np.where(np.bincount(group)[group] > 1, group + 1, 0)[labels]
    labels = labels.copy()
    for number, box in enumerate(ndimage.find_objects(merged), 1):
        if box is not None:
            inside = merged[box] == number
            labels[box][inside] = split(inside, rules.split_ratio)[inside] + labels.max()
    return labels


def weak_pairs(labels: Labels, edge: NDArray[np.uint8], kinds: NDArray[np.int_], threshold: float) -> NDArray[np.int_]:
    """Pairs of touching instances of the same type with little edge along their border; (n, 2)."""
    pixel = np.arange(labels.size).reshape(labels.shape)
    touching = []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        at = (labels[one] != labels[other]) & (labels[one] > 0) & (labels[other] > 0)
        at &= kinds[labels[one]] == kinds[labels[other]]
        low, high = np.minimum(labels[one], labels[other])[at], np.maximum(labels[one], labels[other])[at]
        touching += [np.stack((low, high, pixel[one][at]), 1), np.stack((low, high, pixel[other][at]), 1)]
    border = np.unique(np.concatenate(touching), axis=0)
    pairs, pair = np.unique(border[:, :2], axis=0, return_inverse=True)
    pair = pair.reshape(-1)
    strength = np.bincount(pair, edge.ravel()[border[:, 2]], len(pairs))
    return pairs[strength < threshold * 255 * np.bincount(pair, minlength=len(pairs))]


def without_small(labels: Labels, maps: NDArray[np.uint8], min_px: int) -> Labels:
    """Pieces that are too small go to their neighbours; where all are, they are one nucleus."""
    area = np.bincount(labels.ravel())
    small = (area < min_px)[labels] & (labels > 0)
    if not small.any():
        return labels
    result = flooded(maps[..., 1].astype(np.float64), np.where(small, 0, labels), labels > 0)
    alone, _ = ndimage.label((result == 0) & (labels > 0))
    return np.where(alone > 0, alone + labels.max(), result).astype(np.int32)


def without_enclosed(labels: Labels) -> Labels:
    """An instance that touches nothing but one other is part of it, until there is none."""
    labels = np.pad(labels, 1)
    changed = True
    while changed:
        changed = False
        boxes = ndimage.find_objects(labels)
        for label in np.unique(labels[labels > 0]):
            part = labels[tuple(slice(side.start - 1, side.stop + 1) for side in boxes[label - 1])]
            inside = part == label
            beside = np.unique(part[ndimage.binary_dilation(inside) & ~inside])
            if len(beside) == 1 and beside[0] > 0:
                part[inside], changed = beside[0], True
                boxes[beside[0] - 1] = union(boxes[label - 1], boxes[beside[0] - 1])
    return labels[1:-1, 1:-1]


def union(*boxes: tuple[slice, ...]) -> tuple[slice, ...]:
    """The smallest box that holds all."""
    return tuple(slice(min(s.start for s in each), max(s.stop for s in each)) for each in zip(*boxes, strict=True))


def split(inside: NDArray[np.bool_], ratio: float) -> Labels:
    distance = np.rint(ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] ** 2)
    marker, _ = ndimage.label(inside & (distance >= ratio * ratio * distance.max()))
    return flooded(-distance, marker, inside)


def in_raster_order(labels: Labels) -> Labels:
    flat = labels.ravel()
    first = np.full(labels.max() + 1, labels.size)
    first[flat[::-1]] = np.arange(labels.size)[::-1]
    first[0] = -1
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first))
    return number[labels]


def vote(inside: NDArray[np.bool_], maps: NDArray[np.uint8]) -> tuple[int, int]:
    """The most frequent type, the lower of equals, and its pixels."""
    kinds, counts = np.unique(maps[..., 2][inside], return_counts=True)
    return int(kinds[counts.argmax()]), int(counts.max())


def nuclei(maps: NDArray[np.uint8], rules: Rules) -> dict[str, list[Any]]:
    """One tile's rows in the tile's own pixels: centroid, box, type, its share, area and contour of each nucleus."""
    labels = label_map(maps, rules)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("CENTROID", "BOX", "TYPE", "TYPE_PROBABILITY", "AREA", "CONTOUR")
    }
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        inside = labels[box] == label
        kind, votes = vote(inside, maps[box])
        y, x = np.nonzero(inside)
        corner = np.array([box[1].start, box[0].start])
        rows["CENTROID"].append(corner + np.array((x.mean() + 0.5, y.mean() + 0.5)))
        rows["BOX"].append((*corner, inside.shape[1], inside.shape[0]))
        rows["TYPE"].append(kind)
        rows["TYPE_PROBABILITY"].append(votes / len(x))
        rows["AREA"].append(len(x))
        rows["CONTOUR"].append(corner + outline(inside))
    return rows


def outline(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Middles of the outer pixel edges, x and y, clockwise as seen, without those on a straight line."""
    contours = find_contours(np.pad(inside, 1).astype(np.float64), 0.5)
    around = max(contours, key=lambda contour: np.ptp(contour[:, 0]) + np.ptp(contour[:, 1]))
    points = around[:-1, ::-1] - 0.5
    following = np.roll(points, -1, axis=0)
    if (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum() < 0:
        points = points[::-1]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    points = points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
    start = np.lexsort((points[:, 0], points[:, 1]))[0]
    return np.roll(points, -start, axis=0)
