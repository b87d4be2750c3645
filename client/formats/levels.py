"""Which levels of a slide are what they state: the same picture, smaller by the same factor across and down."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import UnreadableRegion
from histoserve.client.grid import Rectangle

LATTICE = 5
"""Blocks looked at across and down."""

BLOCK_PX, CELL_PX = 32, 4
"""Of the coarser level: side of a block, and of the cells whose means are compared; levels may lie a pixel apart."""

CONTRAST = 6.0
"""Standard deviation of the cells' grey from which a block shows something; JPEG's noise on glass stays below 2."""

CORRELATION = 0.5
"""Of the cells of one place in two levels; by whichever filter a level was made it is over 0.9, elsewhere about 0."""

FLAT_DIFFERENCE = 30.0
"""Grey levels by which glass may differ: a level that was never written is black."""


@dataclass(frozen=True)
class Level:
    """One that is used."""

    number: int
    """OpenSlide's."""
    size: tuple[int, int]
    """(width, height) in its own pixels."""
    downsample: float
    """Level-0 px per pixel, across and down."""
    stated_downsample: float
    """OpenSlide's, the mean of both axes' ratios, by which it places what it reads."""


def common_downsample(l0_size: tuple[int, int], size: tuple[int, int]) -> float | None:
    """Level-0 px per pixel that both axes' sizes allow, rounded either way; None if there is no such number.

    A whole number is preferred: sizes are rounded, scanners' factors are not.
    """
    least = max(l0 / (px + 1) for l0, px in zip(l0_size, size, strict=True))
    most = min((l0 / (px - 1) if px > 1 else math.inf) for l0, px in zip(l0_size, size, strict=True))
    if not least < most:
        return None
    ratios = [l0 / px for l0, px in zip(l0_size, size, strict=True)]
    # The longer axis knows it best.
    best = ratios[0] if size[0] >= size[1] else ratios[1]
    whole = round(best)
    if whole >= 1 and least < whole < most:
        return float(whole)
    return min(max(best, least), most)


def same_content(
    read: Callable[[Rectangle, Level], NDArray[np.uint8]], l0_size: tuple[int, int], finer: Level, coarser: Level
) -> bool:
    """Whether two levels show the same, as far as a lattice of blocks tells; what cannot be read tells nothing."""
    shown, alike, flat, flat_alike = 0, 0, 0, 0
    for region in _blocks(l0_size, coarser):
        try:
            pair = [_cells(read(region, level)) for level in (finer, coarser)]
        except UnreadableRegion:
            continue
        if max(float(cells.std()) for cells in pair) >= CONTRAST:
            shown += 1
            alike += _correlation(*pair) >= CORRELATION
        else:
            flat += 1
            flat_alike += abs(float(pair[0].mean() - pair[1].mean())) <= FLAT_DIFFERENCE
    return 2 * alike > shown if shown else 2 * flat_alike >= flat


def _blocks(l0_size: tuple[int, int], level: Level) -> Iterator[Rectangle]:
    """The blocks in level-0 px, each a whole number of the level's pixels where that can be."""
    width, height = (min(BLOCK_PX, px) for px in level.size)
    corners = [
        sorted({round((px - block) * (i + 0.5) / LATTICE) for i in range(LATTICE)})
        for px, block in zip(level.size, (width, height), strict=True)
    ]
    for y in corners[1]:
        for x in corners[0]:
            left, top, across, down = (round(each * level.downsample) for each in (x, y, width, height))
            yield left, top, max(1, min(across, l0_size[0] - left)), max(1, min(down, l0_size[1] - top))


def _cells(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    side = BLOCK_PX // CELL_PX
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float64)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    spread = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 0 else 0.0
