"""Patches of CoNSeP with the epithelial share of their nuclear area: the nearest to a share of lesion cells it has.

Of these tiles it is not known which epithelium is tumour, so this is no lesion's share; it is real tissue, though.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.spread.network import TILE_PX

PATCH_PX = 250
"""62.5 µm: sixteen of a tile."""
EPITHELIAL = 3
"""Type in `nuclei.csv`."""


@dataclass(frozen=True)
class Patches:
    """All that hold a nucleus."""

    images: NDArray[np.uint8]
    """RGB (N, 224, 224, 3)."""
    share: NDArray[np.float64]
    """(N,): epithelial ÷ all nuclear area."""
    tile: NDArray[np.int64]
    """(N,): which tile it is of, from 0."""

    def of(self, chosen: NDArray[np.bool_]) -> "Patches":
        """Those that `chosen` (N,) is true for."""
        return Patches(self.images[chosen], self.share[chosen], self.tile[chosen])


def read_patches(folder: Path) -> Patches:
    """Of all tiles in `folder`; ValueError where there is none, or one that cannot be read."""
    names = sorted(path.stem for path in folder.glob("train_??.png"))
    if not names:
        raise ValueError(f"no train_NN.png in {folder}, where CoNSeP's tiles should be")
    epithelial = _epithelial(folder / "nuclei.csv")
    images, shares, tiles = [], [], []
    for number, name in enumerate(names):
        image = cv2.cvtColor(_read(folder / f"{name}.png", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        instances = _read(folder / f"{name}_instances.png", cv2.IMREAD_UNCHANGED)
        own = np.isin(instances, epithelial.get(name, []))
        for y in range(0, image.shape[0] - PATCH_PX + 1, PATCH_PX):
            for x in range(0, image.shape[1] - PATCH_PX + 1, PATCH_PX):
                part = slice(y, y + PATCH_PX), slice(x, x + PATCH_PX)
                area = np.count_nonzero(instances[part])
                if area:
                    images.append(cv2.resize(image[part], (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA))
                    shares.append(np.count_nonzero(own[part]) / area)
                    tiles.append(number)
    return Patches(np.stack(images).astype(np.uint8), np.array(shares), np.array(tiles))


def _read(path: Path, flags: int) -> NDArray:
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f"{path} is missing, or no image")
    return image


def _epithelial(path: Path) -> dict[str, list[int]]:
    """Tile → numbers of its epithelial nuclei."""
    found: dict[str, list[int]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if int(row["type"]) == EPITHELIAL:
                found.setdefault(row["tile"], []).append(int(row["instance"]))
    return found
