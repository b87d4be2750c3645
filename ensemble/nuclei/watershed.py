"""Stage `nuclei_watershed`: the network's maps → one row for each nucleus.

    MAPS ──threshold, fill──▶ mask ──instances──▶ step 1 ──merge──▶ step 2 ──absorb──▶ nuclei ──measure, outline──▶ rows

Nothing is scaled by a tile's own minimum or maximum, and every decision is made from integers or within one object, so
a nucleus comes out the same whichever tile holds it. `t_` marks pixels of a tile's maps, `l0_` level-0 pixels of the
slide.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.cpus import cpus
from histoserve.ensemble.identity import mixed
from histoserve.ensemble.nuclei.instances import absorb_enclosed, absorb_small, framed_mask_and_edge, split_by_edges
from histoserve.ensemble.nuclei.measure import Measures, measure, renumber
from histoserve.ensemble.nuclei.merge import merge_and_split
from histoserve.ensemble.nuclei.outline import outlines
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.nuclei.shape import BYTES, shapes
from histoserve.ensemble.parameters import Range, Share, TilePx
from histoserve.ensemble.regions import checked_regions

POOL = ThreadPoolExecutor(cpus(), "watershed")
"""The kernels run without Python's lock: one tile, one thread."""
MOST_MAPS, MOST_MAP_PX = 4096, 2**26
"""What a config can allow: pixels are counted in int32."""


@dataclass(frozen=True)
class Nuclei:
    """The nuclei of one tile."""

    labels: NDArray[np.int32]
    """Framed (H + 2, W + 2): 1 … n in raster order of first pixels, below 1 elsewhere"""
    measures: Measures


def find_nuclei(maps: NDArray[np.uint8], rules: Rules) -> Nuclei:
    """One tile's maps (H, W, 3): foreground 0-255, edge strength 0-255, type."""
    maps = np.ascontiguousarray(maps)
    mask, edge = framed_mask_and_edge(maps, rules.foreground_level)
    labels = split_by_edges(mask, edge, rules)
    merge_and_split(labels, edge, measure(labels, maps), rules)
    absorb_small(labels, edge, rules.min_area_px)
    absorb_enclosed(labels)
    renumber(labels)
    return Nuclei(labels, measure(labels, maps))


def label_nuclei(maps: NDArray[np.uint8], rules: Rules) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """One tile's maps (H, W, 3) → labels int32 (H, W), 0 where no nucleus, and the type of each label, uint8 (n + 1,).

    `types[labels]` is the type map; `types[0]` is 0. Labels count in raster order of first pixels.
    """
    nuclei = find_nuclei(checked_maps(maps[None])[0], rules)
    return np.maximum(nuclei.labels[1:-1, 1:-1], 0), nuclei.measures.type


def watershed(
    maps: NDArray[np.uint8],
    window: NDArray[np.float32],
    core: NDArray[np.float32],
    network: NDArray[np.int32],
    decoder: NDArray[np.int32],
    *,
    identity: int,
    margin_px: TilePx,
    seam_px: Annotated[int, Range(0, "margin_px")],
    foreground_threshold: Share,
    edge_threshold: Share,
    merge_threshold: Share,
    split_ratio: Share,
    opening_px: Annotated[int, Range(0, 64)],
    min_area_px: Annotated[int, Range(0, 2**20)],
    min_marker_px: Annotated[int, Range(0, 2**20)],
    max_hole_px: Annotated[int, Range(0, 2**20)],
    max_maps: Annotated[int, Range(1, MOST_MAPS)] = MOST_MAPS,
    max_map_px: Annotated[int, Range(1, MOST_MAP_PX)] = MOST_MAP_PX,
) -> dict[str, NDArray[np.generic]]:
    """The nuclei whose centroids lie in their tile's core grown by `seam_px`, ordered by tile, then by first pixel.

    `maps` uint8 (N, H, W, 3): foreground 0-255, edge strength 0-255, type; `window`, `core` float32 (N, 4): x, y,
    width, height, `l0_`. `margin_px`, in `t_` like `seam_px`, is what a client reads around a core; the rest: `Rules`.
    `network` and `decoder` int32 (N, 1) identify what made the maps, `identity` this stage.
    Returns the outputs of `nuclei_tiles`, `l0_`: `TYPE_PROBABILITY` is the part of its pixels that have the type, a
    contour's first vertex is not repeated, and `CONTOUR_END` is where each contour ends in `CONTOUR`. Raises
    ValueError, naming the tile, for windows and cores that do not fit, and for more than `max_maps` maps or
    `max_map_px` pixels in one.
    """
    rules = Rules(
        foreground_threshold,
        edge_threshold,
        merge_threshold,
        split_ratio,
        opening_px,
        min_area_px,
        min_marker_px,
        max_hole_px,
    )
    if not 0 <= seam_px <= margin_px:
        raise ValueError(f"seam_px must be in 0-margin_px ({margin_px}), got {seam_px}: correct the model's config")
    maps = checked_maps(maps)
    if len(maps) > max_maps or math.prod(maps.shape[1:3]) > max_map_px:
        wanted = f"at most {max_maps} maps in a request and {max_map_px} pixels in each"
        raise ValueError(f"MAPS is {list(maps.shape)}; wanted {wanted}: send smaller batches")
    windows = checked_regions("WINDOW", window, len(maps))
    cores = checked_regions("CORE", core, len(maps))
    check_overlap(windows, cores)
    decided = mixed({"NETWORK": network, "DECODER": decoder}, len(maps), identity)
    tiles = list(POOL.map(partial(rows, seam_px=seam_px, rules=rules), maps, windows, cores))
    return joined(tiles) | {"NETWORK": decided}


def checked_maps(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if maps.dtype != np.uint8 or maps.ndim != 4 or maps.shape[3] != 3 or 0 in maps.shape[1:]:
        raise ValueError(
            f"MAPS is {maps.dtype} {list(maps.shape)}, wanted uint8 [N, height, width, 3]: foreground, edge, type"
        )
    return maps


def check_overlap(windows: NDArray[np.float64], cores: NDArray[np.float64]) -> None:
    low, high = np.maximum(windows[:, :2], cores[:, :2]), np.minimum(upper(windows), upper(cores))
    apart = ~(low < high).all(axis=1)
    if apart.any():
        index = int(apart.argmax())
        raise ValueError(
            f"CORE {index} is {cores[index].tolist()}, apart from WINDOW {index}, {windows[index].tolist()}; wanted a"
            " part of the window: x, y, width, height in level-0 pixels"
        )


def upper(rectangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corner x1, y1 of x, y, width, height."""
    return rectangles[..., :2] + rectangles[..., 2:]


def rows(
    maps: NDArray[np.uint8], region: NDArray[np.float64], core: NDArray[np.float64], seam_px: int, rules: Rules
) -> dict[str, NDArray[np.generic]]:
    """One tile's rows, in float64 where `joined` narrows them; `CONTOUR_END` counts within the tile."""
    nuclei = find_nuclei(maps, rules)
    of = nuclei.measures
    origin, l0_per_t = region[:2], region[2:] / maps.shape[1::-1]
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
