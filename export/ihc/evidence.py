"""Stained tiles of which every cell is known, with the evidence that the types are told by: made once and kept.

    phantoms, CoNSeP's tiles stained by lot ─▶ stained tile ─`nuclei`, as served─▶ evidence ─▶ file

Only the small network for the types is trained, so the large one looks at each tile once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from histoserve.export.ihc.crops import StainedTile, stained_crop, types_of
from histoserve.export.ihc.network import MPP, StainedNetwork
from histoserve.export.nuclei.tiles import LabelledTile
from histoserve.phantom.ihc.tiles import ihc_tiles

SIDE = 320
"""80 µm."""
MARKERS = ("ki67", "er", "pr", "her2")


@dataclass(frozen=True)
class Known:
    """One tile, at half the resolution of the network."""

    evidence: NDArray[np.float16]
    """(channels, h, w)."""
    instances: NDArray[np.int32]
    """(h, w), 0 where no nucleus."""
    type_of: NDArray[np.uint8]
    """(instances + 1,): 0, then the type of each, 1 to 4."""


def of_phantom(seed: int) -> list[StainedTile]:
    """Two tiles of a slide, the first in a nest of tumour cells."""
    return [
        StainedTile(
            tile.image,
            tile.instances,
            np.concatenate(([0], types_of(tile.tumour, tile.positive))).astype(np.uint8),
        )
        for tile in ihc_tiles([seed], side=SIDE, mpp=MPP, markers=MARKERS)
    ]


def of_real(tile: LabelledTile, seed: int) -> list[StainedTile]:
    """A crop of a real tile, stained by lot."""
    return [stained_crop(tile, SIDE, np.random.default_rng(seed))]


def kept(path: Path, network: StainedNetwork, make: Callable[[], list[StainedTile]]) -> list[Known]:
    """What the file holds; made if it is not there, as a whole."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [known(network, tile) for tile in make()]
        arrays = {f"{name}{k}": part for k, each in enumerate(found) for name, part in sorted(vars(each).items())}
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, count=np.array(len(found)), **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    with np.load(path) as file:
        names = Known.__dataclass_fields__
        return [Known(*(file[f"{name}{k}"] for name in names)) for k in range(int(file["count"]))]


def known(network: StainedNetwork, tile: StainedTile) -> Known:
    """As the served network sees it."""
    with torch.no_grad():
        _, _, evidence = network.evidence(torch.from_numpy(tile.image[None]))
    return Known(evidence[0].half().numpy(), np.ascontiguousarray(tile.instances[::2, ::2]), tile.type_of)
