"""Phantom slides with a primary and what spread from it, as training data: which are drawn, and their regions."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.export.drawn import drawn
from histoserve.export.known_slide import KnownSlide, keep_slide
from histoserve.export.spread.network import REGION_UM, TILE_PX
from histoserve.phantom.lesion.share import Cells
from histoserve.phantom.spread.plan import spread_slide

MPP = REGION_UM / TILE_PX
"""Of the slides that are drawn: a region is seen as it is."""
SIDE = TILE_PX
"""Of a region on a kept slide, px."""
REGIONS = 12
"""Along a slide, which is 2.7 mm wide and high."""
TRAINING_SEED = 60_000_000
"""The first seed of the slides that training sees; smaller ones are free for tests, scores and other kinds."""


def write_slide(folder: Path, seed: int) -> Path:
    """Draws the slide of this seed into `folder` unless it is there."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        side = REGIONS * SIDE
        keep_slide(path, spread_slide((side, side), MPP, seed), SIDE)
    return path


def draw_slides(folder: Path, seeds: Iterable[int]) -> list[Path]:
    """Files of the slides of these seeds; those that are not in `folder` yet are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    return drawn(partial(write_slide, folder), seeds)


def shares_of(slide: KnownSlide) -> NDArray[np.float64]:
    """Lesion cells ÷ all cells of each region, (rows, columns); NaN where there is no cell."""
    height, width = slide.image.shape[:2]
    return Cells(slide.cells.astype(np.float64), slide.is_lesion).shares((width, height), SIDE)
