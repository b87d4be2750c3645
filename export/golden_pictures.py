"""A dozen pictures that golden outputs are of: drawn tissue and cells, smoothed so that they are small in a file."""

from collections.abc import Callable, Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.cytology import drawing as smear
from histoserve.phantom.drawing import Drawing
from histoserve.phantom.he import drawing as tissue

SQUARE_PX = 512
DRAWN: tuple[tuple[Callable[..., Drawing], float, tuple[int, int]], ...] = (
    (tissue, 0.25, (2, 2)),
    (smear, 0.5, (2, 1)),
)
"""What draws, its µm/px, squares across and down: half a dozen, and as many seen in a mirror."""
SEED = 13
SMOOTH_PX, STEP = 5, 8
"""Of a median, and of its colours' levels: noise is most of what a file would keep."""


@cache
def squares() -> tuple[NDArray[np.uint8], ...]:
    """RGB (512, 512, 3) each."""
    drawn = [square for draw, mpp, grid in DRAWN for square in cut(draw, mpp, grid)]
    return *drawn, *(square[:, ::-1] for square in drawn)


def cut(draw: Callable[..., Drawing], mpp: float, grid: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    across, down = (SQUARE_PX * each for each in grid)
    whole = draw((across, down), mpp, SEED).draw((0, 0, across, down))
    for top in range(0, down, SQUARE_PX):
        for left in range(0, across, SQUARE_PX):
            yield whole[top : top + SQUARE_PX, left : left + SQUARE_PX]


def golden_pictures(side: int) -> NDArray[np.uint8]:
    """RGB (12, side, side, 3)."""
    small = [cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in squares()]
    smooth = np.stack([cv2.medianBlur(each, SMOOTH_PX) for each in small])
    return (smooth // STEP * STEP + STEP // 2).astype(np.uint8)
