"""Tiles of phantoms stained for a marker, drawn once and kept: training data of which every cell is known.

seed ─▶ slide ─▶ two tiles ─▶ file ─▶ crop, turned and stained a little otherwise
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from histoserve.export.dyes import vary_dyes
from histoserve.export.ihc.crops import SOFT, StainedTile, types_of
from histoserve.export.ihc.network import MPP
from histoserve.export.nuclei.tiles import LabelledTile, random_crop
from histoserve.phantom.ihc.tiles import IhcTile, ihc_tiles

SIDE = 256
"""128 µm."""
MARKERS = ("ki67", "er", "pr", "her2")
DYES = 0.1
"""How much a crop's dyes differ from its tile's, as `vary_dyes` measures it."""


def kept_tiles(folder: Path, seeds: Iterable[int]) -> list[StainedTile]:
    """Two tiles a seed; draws those that `folder` lacks."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles = []
    for seed in seeds:
        path = folder / f"{seed}.npz"
        if not path.is_file():
            _keep(path, list(ihc_tiles([seed], side=SIDE, mpp=MPP, markers=MARKERS)))
        with np.load(path) as file:
            count = int(file["count"])
            tiles += [StainedTile(*(file[f"{part}{k}"] for part in StainedTile.PARTS)) for k in range(count)]
    return tiles


def _keep(path: Path, drawn: list[IhcTile]) -> None:
    """As a whole: an interrupted drawing is drawn again."""
    arrays: dict[str, np.ndarray] = {"count": np.array(len(drawn))}
    for k, tile in enumerate(drawn):
        types = np.concatenate(([0], types_of(tile.tumour, tile.positive))).astype(np.uint8)
        arrays |= {f"image{k}": tile.image, f"instances{k}": tile.instances, f"type_of{k}": types}
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def phantom_crop(tile: StainedTile, side: int, random: np.random.Generator) -> StainedTile:
    """Turned, scaled, and stained a little otherwise, `side` px wide."""
    image, instances = random_crop(LabelledTile("", tile.image, tile.instances, tile.type_of), side, random)
    image = vary_dyes(image, DYES, random)
    if random.random() < SOFT:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.2)).astype(np.uint8)
    return StainedTile(image, instances, tile.type_of)
