"""The nuclei of tiles → rows of `nuclei_tiles`; `t_` marks pixels of a tile's maps, `l0_` level-0 pixels of the slide.

nuclei of each tile ──those of its core──▶ rows in float64 ──joined──▶ outputs of a request
"""

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.nuclei.find import find_nuclei
from histoserve.ensemble.nuclei.outline import outlines
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.nuclei.shape import BYTES, shapes


def upper(rectangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corner x1, y1 of x, y, width, height."""
    return rectangles[..., :2] + rectangles[..., 2:]


def rows(
    maps: NDArray[np.uint8], window: NDArray[np.float64], core: NDArray[np.float64], seam_px: int, rules: Rules
) -> dict[str, NDArray[np.generic]]:
    """One tile's rows, in float64 where `joined` narrows them; `CONTOUR_END` counts within the tile."""
    nuclei = find_nuclei(maps, rules)
    of = nuclei.measures
    origin, l0_per_t = window[:2], window[2:] / maps.shape[1::-1]
    centroid = origin + of.centroid * l0_per_t
    seam = seam_px * l0_per_t
    mine = ((core[:2] - seam <= centroid) & (centroid < upper(core) + seam)).all(axis=1)
    mine[0] = False
    kept = np.flatnonzero(mine).astype(np.int32)
    vertices, ends = outlines(nuclei.labels, kept, of.first[kept])
    corner, size = of.box[kept, :2], of.box[kept, 2:] - of.box[kept, :2]
    return {
        "CENTROID": centroid[kept],
        "BOX": np.concatenate((origin + corner * l0_per_t, size * l0_per_t), axis=1),
        "TYPE": of.type[kept],
        "TYPE_PROBABILITY": of.votes[kept] / of.area[kept],
        "AREA": of.area[kept] * l0_per_t.prod(),
        "SHAPE": shapes(nuclei.labels, kept, of.box[kept], of.first[kept]),
        "CONTOUR": origin + vertices * l0_per_t,
        "CONTOUR_END": ends,
    }


EMPTY: dict[str, NDArray[np.generic]] = {
    "CENTROID": np.empty((0, 2), np.float32),
    "BOX": np.empty((0, 4), np.float32),
    "TYPE": np.empty(0, np.uint8),
    "TYPE_PROBABILITY": np.empty(0, np.float32),
    "AREA": np.empty(0, np.float32),
    "SHAPE": np.empty((0, BYTES), np.uint8),
    "CONTOUR": np.empty((0, 2), np.float32),
    "CONTOUR_END": np.empty(0, np.int32),
}


def joined(tiles: list[dict[str, NDArray[np.generic]]]) -> dict[str, NDArray[np.generic]]:
    """The rows of a request's tiles, one after the other, in the outputs' types."""
    offset = np.cumsum([0] + [len(tile["CONTOUR"]) for tile in tiles])
    tiles = [tile | {"CONTOUR_END": tile["CONTOUR_END"] + start} for tile, start in zip(tiles, offset, strict=False)]
    result = {
        name: np.concatenate([empty, *(tile[name].astype(empty.dtype) for tile in tiles)])
        for name, empty in EMPTY.items()
    }
    counts = [len(tile["AREA"]) for tile in tiles]
    return result | {"TILE_INDEX": np.repeat(np.arange(len(tiles), dtype=np.int32), counts)}
