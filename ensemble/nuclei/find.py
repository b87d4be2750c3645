"""One tile's maps → its nuclei.

    maps ──threshold, fill──▶ mask ──instances──▶ step 1 ──merge──▶ step 2 ──absorb──▶ nuclei

Nothing is scaled by a tile's own minimum or maximum, and every decision is made from integers or within one object, so
a nucleus comes out the same whichever tile holds it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.nuclei.instances import absorb_enclosed, absorb_small, framed_mask_and_edge, split_by_edges
from histoserve.ensemble.nuclei.measure import Measures, measure, renumber
from histoserve.ensemble.nuclei.merge import merge_and_split
from histoserve.ensemble.nuclei.rules import Rules


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


def checked_maps(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if maps.dtype != np.uint8 or maps.ndim != 4 or maps.shape[3] != 3 or 0 in maps.shape[1:]:
        raise ValueError(
            f"MAPS is {maps.dtype} {list(maps.shape)}, wanted uint8 [N, height, width, 3]: foreground, edge, type"
        )
    return maps
