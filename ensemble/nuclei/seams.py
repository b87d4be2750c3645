"""Stage `nuclei_slide`: rows near the seams of a slide → one of each nucleus that several tiles saw.

A row is *primary* if its centroid lies in its own tile's core (left and upper border included), else *secondary*. Rows
are taken by rank: primary before secondary, then by area from large to small, then by position, so the order in which
they arrive does not matter. A row is dropped if it shares too much with a row of another tile that was kept before.
Where one tile saw one nucleus and another saw two in its place, the two go if the one ranks before them, else the one.
Within a tile no two nuclei overlap, so rows of one tile are never compared.
"""

import math

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.compiled import compiled
from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.nuclei.shape import BYTES, SIDE
from histoserve.ensemble.parameters import Share
from histoserve.ensemble.regions import checked_regions

FINEST, COARSEST = 3, 40
"""Grid cells are 2³ px wide or wider. Rows too large for the coarsest are gone through one by one."""
WORK, WORK_PER_ROW = 2 * 10**8, 5_000
"""Looking at a cell or a row costs 1, comparing two shapes one for each of their parts; a slide's row costs some 2,000.
More than this, under a second and some 10 µs a row, is refused: no slide has its nuclei piled up like that."""


def seams(
    centroid: NDArray[np.float32],
    box: NDArray[np.float32],
    type: NDArray[np.uint8],
    type_probability: NDArray[np.float32],
    area: NDArray[np.float32],
    shape: NDArray[np.uint8],
    tile_index: NDArray[np.int32],
    core: NDArray[np.float32],
    network: NDArray[np.int32],
    *,
    same_share: Share,
) -> dict[str, NDArray[np.bool_]]:
    """Which rows to keep; all in level-0 pixels, `box` and `core` as x, y, width, height.

    Rows of different tiles (`tile_index`) are the same nucleus if they share `same_share` or more of the smaller; their
    outlines are compared by `shape`. A row that came twice counts once. `network` (W, 1) is that of any number of the
    slide's windows.
    Returns `KEEP` bool (M,). Raises ValueError for tensors of different lengths, for numbers that are not finite, for
    windows of two networks, and for rows that are piled up (see `WORK`).
    """
    count = len(centroid)
    shapes: dict[str, tuple[NDArray, tuple[int, ...]]]
    shapes = {"CENTROID": (centroid, (count, 2)), "TYPE": (type, (count,)), "AREA": (area, (count,))}
    shapes |= {"TYPE_PROBABILITY": (type_probability, (count,)), "TILE_INDEX": (tile_index, (count,))}
    shapes |= {"SHAPE": (shape, (count, BYTES))}
    for name, (tensor, wanted) in shapes.items():
        if tensor.shape != wanted:
            raise ValueError(f"{name} is {list(tensor.shape)}, wanted {list(wanted)}: one for each row of CENTROID")
    check_one_network(network, count)
    boxes, cores = checked_regions("BOX", box, count), checked_regions("CORE", core, count)
    rows = np.column_stack((centroid, boxes, area, tile_index, type, type_probability, cores)).astype(np.float64)
    if not np.isfinite(rows).all():
        index = int((~np.isfinite(rows)).any(axis=1).argmax())
        raise ValueError(f"row {index} is not finite: CENTROID {centroid[index].tolist()}, AREA {area[index]}")
    primary = ((cores[:, :2] <= centroid) & (centroid < cores[:, :2] + cores[:, 2:])).all(axis=1)
    order = ranked(rows, shape, primary)
    keep = np.zeros(count, bool)
    sides = np.column_stack((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]))
    areas, pictures, tiles = area.astype(np.float64), np.ascontiguousarray(shape), np.ascontiguousarray(tile_index)
    # As an argument: a compiled kernel does not notice that a number of another file has changed.
    stopped = _keep(order, sides, areas, pictures, SIDE, tiles, same_share, keep)
    if stopped >= 0:
        raise ValueError(
            f"BOX {stopped}, {box[stopped].tolist()}, lies on so many of the {count} rows that nuclei cannot; send the"
            " rows as nuclei_tiles gave them, each with the TILE_INDEX of its own tile"
        )
    return {"KEEP": keep}


def ranked(rows: NDArray[np.float64], shape: NDArray[np.uint8], primary: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of `rows` (x, y, box, area, tile, the rest) from the highest rank to the lowest, without repetitions."""
    x, y, area, rest = rows[:, 0], rows[:, 1], rows[:, 6], np.delete(rows, (0, 1, 6), axis=1)
    picture = np.ascontiguousarray(shape).view(np.uint64)
    order = np.lexsort((*picture.T, *rest.T[::-1], x, y, -area, ~primary))
    again = np.zeros(len(order), bool)
    again[1:] = (rows[order[1:]] == rows[order[:-1]]).all(axis=1) & (shape[order[1:]] == shape[order[:-1]]).all(axis=1)
    return order[~again]


@compiled("int64(int64, int64, int64, int64)")
def _slot(level: int, column: int, row: int, slots: int) -> int:
    mixed = column * 73856093 ^ row * 19349663 ^ level * 83492791
    return (mixed ^ (mixed >> 15)) & (slots - 1)


@compiled("int64(float64, int64)")
def _cell(place: float, level: int) -> int:
    farthest = 2.0**COARSEST
    return math.floor(min(max(place, -farthest), farthest) / 2.0**level)


@compiled("float64(float64[::1], uint8[::1], float64[::1], uint8[::1], int64)")
def _covered(
    box: NDArray[np.float64],
    shape: NDArray[np.uint8],
    other: NDArray[np.float64],
    other_shape: NDArray[np.uint8],
    side: int,
) -> float:
    """The part of one nucleus that lies in another; boxes as x0, y0, x1, y1, shapes of `side` × `side` bits."""
    width, height = (box[2] - box[0]) / side, (box[3] - box[1]) / side
    other_width, other_height = (other[2] - other[0]) / side, (other[3] - other[1]) / side
    filled, shared = 0, 0
    for bit in range(side * side):
        if shape[bit >> 3] & (128 >> (bit & 7)):
            filled += 1
            column = math.floor((box[0] + (bit % side + 0.5) * width - other[0]) / other_width)
            row = math.floor((box[1] + (bit // side + 0.5) * height - other[1]) / other_height)
            if 0 <= column < side and 0 <= row < side:
                at = row * side + column
                shared += (other_shape[at >> 3] & (128 >> (at & 7))) != 0
    return shared / max(filled, 1)


@compiled("float64(int64, int64, float64[:, ::1], float64[::1], uint8[:, ::1], int64, float64)")
def _shared(
    one: int,
    other: int,
    box: NDArray[np.float64],
    area: NDArray[np.float64],
    shape: NDArray[np.uint8],
    side: int,
    enough: float,
) -> float:
    """The part of the smaller of two rows that both have; 0 if their boxes alone show that it is under `enough`."""
    width = min(box[one, 2], box[other, 2]) - max(box[one, 0], box[other, 0])
    height = min(box[one, 3], box[other, 3]) - max(box[one, 1], box[other, 1])
    # A nucleus is never larger than its box, whatever a row says.
    one_area = min(area[one], (box[one, 2] - box[one, 0]) * (box[one, 3] - box[one, 1]))
    other_area = min(area[other], (box[other, 2] - box[other, 0]) * (box[other, 3] - box[other, 1]))
    smaller = min(one_area, other_area)
    if width <= 0 or height <= 0 or width * height < enough * smaller:
        return 0.0
    # Seen from both sides, so that the answer is the same whichever comes first, and nearer to the truth.
    shared = one_area * _covered(box[one], shape[one], box[other], shape[other], side)
    shared += other_area * _covered(box[other], shape[other], box[one], shape[one], side)
    return shared / (2 * smaller) if smaller > 0 else 1.0


@compiled("int64(int64[::1], float64[:, ::1], float64[::1], uint8[:, ::1], int64, int32[::1], float64, boolean[::1])")
def _keep(
    order: NDArray[np.int64],
    box: NDArray[np.float64],
    area: NDArray[np.float64],
    shape: NDArray[np.uint8],
    side: int,
    tile: NDArray[np.int32],
    same_share: float,
    keep: NDArray[np.bool_],
) -> int:
    """Goes through the rows by rank; compares each with the kept ones nearby; the row at which it gave up, or −1.

    Kept rows lie in a hashed grid for each power of two: a row is in one cell, by the middle of its box, of a grid
    whose cells are at least as large as its box, so only cells within half a cell of another row's box can hold its
    like. Where those are more than the rows of that grid, the rows are gone through instead.
    """
    slots = 16
    while slots < 2 * len(order):
        slots *= 2
    head, following = np.full(slots, -1, np.int64), np.full(len(keep), -1, np.int64)
    level_head, level_following = np.full(COARSEST + 1, -1, np.int64), np.full(len(keep), -1, np.int64)
    populated = np.zeros(COARSEST + 1, np.int64)
    left = WORK + WORK_PER_ROW * len(order)
    for row in order:
        lost = False
        for level in range(FINEST, COARSEST + 1):
            if populated[level] == 0 or lost:
                continue
            half = 2.0 ** (level - 1)
            first_column, last_column = _cell(box[row, 0] - half, level), _cell(box[row, 2] + half, level)
            first_row, last_row = _cell(box[row, 1] - half, level), _cell(box[row, 3] + half, level)
            columns, lines = last_column - first_column + 1, last_row - first_row + 1
            # Written so that no product can overflow.
            every = level == COARSEST or columns > populated[level] or lines > populated[level] // columns
            cells = 1 if every else columns * lines
            other = int(level_head[level]) if every else -1
            for cell in range(cells):
                left -= 1
                if not every:
                    column, grid_row = first_column + cell % columns, first_row + cell // columns
                    other = int(head[_slot(level, column, grid_row, slots)])
                while other >= 0 and not lost:
                    left -= 1
                    if tile[other] != tile[row]:
                        share = _shared(row, other, box, area, shape, side, same_share)
                        left -= 2 * side * side if share > 0 else 0
                        lost = share >= same_share
                    other = int(level_following[other] if every else following[other])
                if left < 0:
                    return int(row)
        if not lost:
            keep[row] = True
            level = FINEST
            while level < COARSEST and 2.0**level < max(box[row, 2] - box[row, 0], box[row, 3] - box[row, 1]):
                level += 1
            middle_x, middle_y = (box[row, 0] + box[row, 2]) / 2, (box[row, 1] + box[row, 3]) / 2
            slot = _slot(level, _cell(middle_x, level), _cell(middle_y, level), slots)
            following[row], head[slot] = head[slot], row
            level_following[row], level_head[level] = level_head[level], row
            populated[level] += 1
    return -1
