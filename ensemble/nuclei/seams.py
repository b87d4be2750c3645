"""Stage `nuclei_slide`: rows near the seams of a slide → one of each nucleus that several tiles saw.

A row is *primary* if its centroid lies in its own tile's core (left and upper border included), else *secondary*. Rows
are taken by rank: primary before secondary, then by area from large to small, then by position, so the order in which
they arrive does not matter. A row is dropped if it shares too much with a row of another tile that was kept before.
Where one tile saw one nucleus and another saw two in its place, the two go if the one ranks before them, else the one.
Within a tile no two nuclei overlap, so rows of one tile are never compared.
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.nuclei.repeats import drop_repeats
from histoserve.ensemble.nuclei.shape import BYTES, SIDE
from histoserve.ensemble.parameters import Share
from histoserve.ensemble.regions import checked_regions


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
    windows of two networks, and for rows that are piled up (see `repeats.WORK`).
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
    stopped = drop_repeats(order, sides, areas, pictures, SIDE, tiles, same_share, keep)
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
