"""Phantoms among the training tiles: drawn once and kept, as the slow part of a training without them."""

from pathlib import Path

import cv2
import numpy as np

from histoserve.export.ihc.crops import StainedTile, types_of
from histoserve.export.ihc.network import MPP
from histoserve.phantom.ihc.tiles import Place, ihc_tiles

SIDE = 448
"""112 µm: a normal gland is seen whole."""
MARKERS = ("ki67", "er", "pr", "her2")
PLACES: tuple[Place, ...] = ("nests", "apart", "anywhere")
"""Glands and lymphocytes far from any tumour are as many as nests: what was seen in nests alone is taken for one."""
COARSE = 0.4
"""Share of the crops that look as if a coarser scan had been enlarged, as what lies under a tile of H&E may be."""
SCANS = (0.4, 0.9)
"""Resolution of these, of the network's."""


def of_phantom(seed: int) -> list[StainedTile]:
    """A tile of a slide in each of PLACES that it has."""
    return [
        StainedTile(
            tile.image,
            tile.instances,
            np.concatenate(([0], types_of(tile.tumour, tile.positive))).astype(np.uint8),
        )
        for tile in ihc_tiles([seed], side=SIDE, mpp=MPP, markers=MARKERS, places=PLACES)
    ]


def kept(path: Path, seed: int) -> list[StainedTile]:
    """What the file holds of `of_phantom`; made if it is not there, as a whole."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        tiles = of_phantom(seed)
        arrays = {f"{name}{k}": getattr(each, name) for k, each in enumerate(tiles) for name in StainedTile.PARTS}
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, count=np.array(len(tiles)), **arrays)  # type: ignore[arg-type]
        partial.replace(path)
    with np.load(path) as file:
        return [StainedTile(*(file[f"{name}{k}"] for name in StainedTile.PARTS)) for k in range(int(file["count"]))]


def turned_crop(tile: StainedTile, side: int, random: np.random.Generator) -> StainedTile:
    """A part, turned by quarters, mirrored, out of focus or coarse or not: its stains stay what they are."""
    y, x = (int(random.integers(0, length - side + 1)) for length in tile.instances.shape)
    turns, mirrored = int(random.integers(4)), bool(random.integers(2))
    image, instances = (
        np.ascontiguousarray(part[:, ::-1] if mirrored else part)
        for part in (np.rot90(each[y : y + side, x : x + side], turns) for each in (tile.image, tile.instances))
    )
    if random.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 1.2)).astype(np.uint8)
    if random.random() < COARSE:
        scale = random.uniform(*SCANS)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    return StainedTile(image, instances, tile.type_of, tile.tells_tumour)
