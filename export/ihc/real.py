"""Four breast tiles stained for Ki67 whose cells people marked (`ihc_ki67` of the shared data): for scoring alone.

    <name>.png           the tile
    <name>_truth.png     red: positive cell, blue: negative cell, green: the border around each, black: the rest

Their µm/px is not told. Marked nuclei are 28 to 32 px wide: 7 to 8 µm, as breast carcinoma's are, at 0.25 µm/px.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.ihc.truth import Truth
from histoserve.export.nuclei.tiles import read_rgb

LEAST_PX = 20
"""Smaller pieces are crumbs of a border."""
TRUTH = "_truth.png"


def marked(folder: Path, name: str) -> Truth | None:
    """Cells that people marked in the tile `name`; None for a tile that nobody marked."""
    path = folder / f"{name}{TRUTH}"
    if not path.is_file():
        return None
    red, green, blue = np.moveaxis(read_rgb(path).astype(int), 2, 0)
    positive, negative = (cells_in((colour > 128) & (green < 128)) for colour in (red, blue))
    return Truth("marked by people", positive, negative)


def cells_in(mask: NDArray[np.bool_]) -> int:
    """Connected across edges alone: a border one pixel wide, drawn aslant, still parts two cells."""
    _, _, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return int((found[1:, cv2.CC_STAT_AREA] > LEAST_PX).sum())
