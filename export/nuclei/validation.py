"""Scores a nuclei network by the rows that the served stages make of its maps, without a server: for training."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from histoserve.ensemble.nuclei.rules import Rules
from histoserve.ensemble.nuclei.watershed import label_nuclei
from histoserve.export.nuclei.matching import dice, intersections, panoptic
from histoserve.export.nuclei.network import NucleiMaps, NucleiNetwork
from histoserve.export.nuclei.tiles import LabelledTile
from histoserve.export.repository import read_config

TILE_PX, MARGIN_PX = 256, 32


def rules_from_config(model: Path) -> Rules:
    """The rules that the config of a `nuclei_watershed` holds."""
    parameters = read_config(model).parameters
    numbers = {name: float(parameters[name].string_value) for name in Rules.__dataclass_fields__}
    sizes = {name: round(value) for name, value in numbers.items() if name.endswith("_px")}
    return Rules(**{**numbers, **sizes})  # type: ignore[arg-type]


def cores(extent: int) -> Iterator[tuple[int, int, int]]:
    """(start of a tile, first and end of its core) along one axis, as the client's grid has them."""
    starts = [*range(0, extent - TILE_PX, TILE_PX - 2 * MARGIN_PX), extent - TILE_PX]
    ends = [start + TILE_PX - MARGIN_PX for start in starts[:-1]] + [extent]
    first = 0
    for start, end in zip(starts, ends, strict=True):
        yield start, first, end
        first = end


def maps_of(module: NucleiMaps, image: np.ndarray) -> np.ndarray:
    """The maps (H, W, 3) of a whole image, put together from tiles with margins."""
    result = np.zeros_like(image)
    for top, y0, y1 in cores(image.shape[0]):
        for left, x0, x1 in cores(image.shape[1]):
            with torch.no_grad():
                tile = torch.from_numpy(image[None, top : top + TILE_PX, left : left + TILE_PX])
                maps = module(tile)[0].numpy()
            result[y0:y1, x0:x1] = maps[y0 - top : y1 - top, x0 - left : x1 - left]
    return result


def score_network(network: NucleiNetwork, tiles: list[LabelledTile], rules: Rules) -> dict[str, float]:
    """Means over the tiles of panoptic quality and Dice, and the share of matched nuclei whose type is right."""
    module = NucleiMaps(network).eval()
    quality, overlap, right, matched = [], [], 0, 0
    for tile in tiles:
        labels, types = label_nuclei(maps_of(module, tile.image), rules)
        quality.append(panoptic(labels, tile.instances).quality)
        overlap.append(dice(labels, tile.instances))
        shared = intersections(labels, tile.instances)[1:, 1:]
        if shared.size:
            found = np.flatnonzero(shared.any(1))
            true = shared[found].argmax(1)
            right += int((types[1:][found] == tile.type_of[1:][true]).sum())
            matched += len(found)
    return {"pq": float(np.mean(quality)), "dice": float(np.mean(overlap)), "typed": right / max(matched, 1)}
