"""Stage `nuclei_slide`: rows near the seams of a slide → one of each nucleus that several tiles saw.

A row is *primary* if its centroid lies in its own tile's core (left and upper border included), else *secondary*. Rows
are taken by rank: primary before secondary, then by area from large to small, then by position, so the order in which
they arrive does not matter. A row is dropped if a row of another tile that was kept before is the same nucleus.
"""

import math

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled
from histoserve.ensemble.parameters import Share
from histoserve.ensemble.regions import checked_regions

FINEST = 3
"""Grid cells are 2³ px wide or wider."""
COARSEST = 40


def seams(
    centroid: NDArray[np.float32],
    box: NDArray[np.float32],
    type: NDArray[np.uint8],
    type_probability: NDArray[np.float32],
    area: NDArray[np.float32],
    tile_index: NDArray[np.int32],
    core: NDArray[np.float32],
    *,
    min_iou: Share,
    centroid_share: Share,
    inside_share: Share,
) -> dict[str, NDArray[np.bool_]]:
    """Which rows to keep; all in level-0 pixels, `box` and `core` as x, y, width, height.

    Rows of different tiles (`tile_index`) are the same nucleus if their boxes' intersection over union is `min_iou` or
    more, if their centroids are closer than `centroid_share` of the smaller box's shorter side, or if the one of lower
    rank is secondary and `inside_share` or more of its box lies in the other's. A row that came twice counts once.
    Returns `KEEP` bool (M,). Raises ValueError for tensors of different lengths and for numbers that are not finite.
    """
    count = len(centroid)
    shapes: dict[str, tuple[NDArray, tuple[int, ...]]]
    shapes = {"CENTROID": (centroid, (count, 2)), "TYPE": (type, (count,)), "AREA": (area, (count,))}
    shapes |= {"TYPE_PROBABILITY": (type_probability, (count,)), "TILE_INDEX": (tile_index, (count,))}
    for name, (tensor, shape) in shapes.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} is {list(tensor.shape)}, wanted {list(shape)}: one for each row of CENTROID")
    boxes, cores = checked_regions("BOX", box, count), checked_regions("CORE", core, count)
    rows = np.column_stack((centroid, boxes, area, tile_index, type, type_probability, cores)).astype(np.float64)
    if not np.isfinite(rows).all():
        index = int((~np.isfinite(rows)).any(axis=1).argmax())
        raise ValueError(f"row {index} is not finite: CENTROID {centroid[index].tolist()}, AREA {area[index]}")
    primary = ((cores[:, :2] <= centroid) & (centroid < cores[:, :2] + cores[:, 2:])).all(axis=1)
    order = ranked(rows, primary)
    keep = np.zeros(count, bool)
    sides = np.column_stack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))
    limits = np.array((min_iou, centroid_share, inside_share), np.float64)
    _keep(order, rows[:, :2].copy(), sides, tile_index.astype(np.int32), primary, limits, keep)
    return {"KEEP": keep}


def ranked(rows: NDArray[np.float64], primary: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of `rows` (x, y, box, area, tile, the rest) from the highest rank to the lowest, without repetitions."""
    x, y, area, rest = rows[:, 0], rows[:, 1], rows[:, 6], np.delete(rows, (0, 1, 6), axis=1)
    order = np.lexsort((*rest.T[::-1], x, y, -area, ~primary))
    again = np.zeros(len(order), bool)
    again[1:] = (rows[order[1:]] == rows[order[:-1]]).all(axis=1)
    return order[~again]


@compiled("boolean(float64[::1], float64[::1], float64[::1], float64[::1], boolean, float64[::1])")
def _same(
    centroid: NDArray[np.float64],
    box: NDArray[np.float64],
    kept_centroid: NDArray[np.float64],
    kept_box: NDArray[np.float64],
    primary: bool,
    limits: NDArray[np.float64],
) -> bool:
    """Whether a row is the same nucleus as one that was kept; boxes as x0, y0, x1, y1, limits in `seams`' order."""
    min_iou, centroid_share, inside_share = limits
    width, height = box[2] - box[0], box[3] - box[1]
    kept_width, kept_height = kept_box[2] - kept_box[0], kept_box[3] - kept_box[1]
    area, kept_area = width * height, kept_width * kept_height
    shared_width = min(box[2], kept_box[2]) - max(box[0], kept_box[0])
    shared_height = min(box[3], kept_box[3]) - max(box[1], kept_box[1])
    shared = max(shared_width, 0.0) * max(shared_height, 0.0)
    if shared >= min_iou * (area + kept_area - shared) or (not primary and shared >= inside_share * area):
        return True
    side, kept_side = min(width, height), min(kept_width, kept_height)
    shorter = min(side, kept_side) if area == kept_area else side if area < kept_area else kept_side
    apart = np.hypot(centroid[0] - kept_centroid[0], centroid[1] - kept_centroid[1])
    return bool(apart < centroid_share * shorter)


@compiled("int64(int64, int64, int64, int64)")
def _slot(level: int, column: int, row: int, slots: int) -> int:
    mixed = column * 73856093 ^ row * 19349663 ^ level * 83492791
    return (mixed ^ (mixed >> 15)) & (slots - 1)


@compiled("void(int64[::1], float64[:, ::1], float64[:, ::1], int32[::1], boolean[::1], float64[::1], boolean[::1])")
def _keep(
    order: NDArray[np.int64],
    centroid: NDArray[np.float64],
    box: NDArray[np.float64],
    tile: NDArray[np.int32],
    primary: NDArray[np.bool_],
    limits: NDArray[np.float64],
    keep: NDArray[np.bool_],
) -> None:
    """Goes through the rows by rank; compares each with the kept ones nearby, which lie in a hashed grid of cells.

    There is a grid for each power of two: a kept row is in one cell, by the middle of its extent, of a grid whose cells
    are at least as large as its extent, so only cells within half a cell of a row's own extent can hold its like.
    """
    slots = 16
    while slots < 2 * len(order):
        slots *= 2
    head, following = np.full(slots, -1, np.int64), np.full(len(keep), -1, np.int64)
    populated = np.zeros(COARSEST + 1, np.int64)
    for row in order:
        # The extent holds the centroid too, with all that may count as near it.
        near = limits[1] * min(box[row, 2] - box[row, 0], box[row, 3] - box[row, 1])
        x0, x1 = min(box[row, 0], centroid[row, 0] - near), max(box[row, 2], centroid[row, 0] + near)
        y0, y1 = min(box[row, 1], centroid[row, 1] - near), max(box[row, 3], centroid[row, 1] + near)
        lost = False
        for level in range(FINEST, COARSEST + 1):
            if populated[level] == 0 or lost:
                continue
            cell = 2.0**level
            first_column, last_column = math.floor(x0 / cell - 0.5), math.floor(x1 / cell + 0.5)
            first_row, last_row = math.floor(y0 / cell - 0.5), math.floor(y1 / cell + 0.5)
            for grid_row in range(first_row, last_row + 1):
                for grid_column in range(first_column, last_column + 1):
                    other = head[_slot(level, grid_column, grid_row, slots)]
                    while other >= 0 and not lost:
                        lost = tile[other] != tile[row] and _same(
                            centroid[row], box[row], centroid[other], box[other], primary[row], limits
                        )
                        other = following[other]
        if not lost:
            keep[row] = True
            level = FINEST
            while level < COARSEST and 2.0**level < max(x1 - x0, y1 - y0):
                level += 1
            cell = 2.0**level
            slot = _slot(level, math.floor((x0 + x1) / 2 / cell), math.floor((y0 + y1) / 2 / cell), slots)
            following[row], head[slot] = head[slot], row
            populated[level] += 1
