"""Stage `nuclei_watershed`: the network's maps → one row for each nucleus.

    MAPS ──find──▶ nuclei of each tile ──measure, outline, shape──▶ rows

`t_` marks pixels of a tile's maps, `l0_` level-0 pixels of the slide.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.cpus import cpus
from histoserve.ensemble.identity import mixed
from histoserve.ensemble.nuclei.find import checked_maps
from histoserve.ensemble.nuclei.rows import joined, rows, upper
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.parameters import Range, Share, TilePx
from histoserve.ensemble.regions import checked_regions

POOL = ThreadPoolExecutor(cpus(), "watershed")
"""The kernels run without Python's lock: one tile, one thread."""
MOST_MAPS, MOST_MAP_PX = 4096, 2**26
"""What a config can allow: pixels are counted in int32."""


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
    levels = (foreground_threshold, edge_threshold, merge_threshold, split_ratio)
    rules = Rules(*levels, opening_px, min_area_px, min_marker_px, max_hole_px)
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


def check_overlap(windows: NDArray[np.float64], cores: NDArray[np.float64]) -> None:
    low, high = np.maximum(windows[:, :2], cores[:, :2]), np.minimum(upper(windows), upper(cores))
    apart = ~(low < high).all(axis=1)
    if apart.any():
        index = int(apart.argmax())
        raise ValueError(
            f"CORE {index} is {cores[index].tolist()}, apart from WINDOW {index}, {windows[index].tolist()}; wanted a"
            " part of the window: x, y, width, height in level-0 pixels"
        )
