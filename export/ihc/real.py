"""Four breast tiles stained for Ki67 whose cells people marked (`ihc_ki67` of the shared data): for scoring alone.

    <name>.png           the tile
    <name>_truth.png     red: positive cell, blue: negative cell, green: the border around each, black: the rest

Their µm/px is not told. Marked nuclei are 28 to 32 px wide: 7 to 8 µm, as breast carcinoma's are, at 0.25 µm/px.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.nuclei.tiles import read_rgb

MPP = 0.25
LEAST_PX = 20
"""Smaller pieces are crumbs of a border."""
TRUTH = "_truth.png"


@dataclass(frozen=True)
class MarkedTile:
    """A tile, and how many cells people marked in it."""

    name: str
    image: NDArray[np.uint8]
    """RGB (H, W, 3)."""
    positive: int
    negative: int

    @property
    def ratio(self) -> float:
        return self.positive / (self.positive + self.negative)


def marked_tiles(folder: Path) -> list[MarkedTile]:
    """By name. ValueError for a folder without any."""
    names = sorted(path.name.removesuffix(TRUTH) for path in folder.glob(f"*{TRUTH}"))
    if not names:
        raise ValueError(f"{folder} holds no *{TRUTH}: name the folder of the marked tiles")
    tiles = []
    for name in names:
        truth = read_rgb(folder / f"{name}{TRUTH}").astype(int)
        red, green, blue = np.moveaxis(truth, 2, 0)
        cells = [cells_in((colour > 128) & (green < 128)) for colour in (red, blue)]
        tiles.append(MarkedTile(name, read_rgb(folder / f"{name}.png"), *cells))
    return tiles


def cells_in(mask: NDArray[np.bool_]) -> int:
    """Connected across edges alone: a border one pixel wide, drawn aslant, still parts two cells."""
    _, _, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return int((found[1:, cv2.CC_STAT_AREA] > LEAST_PX).sum())
