"""Phantom slides with or without a lesion as training data of `tissue`: which are drawn, and how fine they are kept."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from histoserve.export.drawn import drawn
from histoserve.export.known_slide import KnownSlide, keep_slide, read_slide
from histoserve.export.tissue.classes import MPP, TILE_PX
from histoserve.phantom.lesion.plan import lesion_slide

__all__ = ["KnownSlide", "draw_slides", "read_slide", "write_slide"]

FINER = 2
"""Slides are kept at this many times the network's resolution: a crop of a tile is enlarged."""
SIDE = TILE_PX * FINER
"""Of a tile on a kept slide, px."""
TILES = 6
"""Tiles along a slide, which is 3 mm wide and high."""
TRAINING_SEED, VALIDATION_SEED = 30_000_000, 40_000_000
"""The first seeds of the slides that training sees; smaller seeds are free for tests."""


def write_slide(folder: Path, seed: int) -> Path:
    """Draws the slide of this seed into `folder` unless it is there."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        side = TILES * SIDE
        keep_slide(path, lesion_slide((side, side), MPP / FINER, seed), SIDE)
    return path


def draw_slides(folder: Path, seeds: Iterable[int]) -> list[Path]:
    """Files of the slides of these seeds; those that are not in `folder` yet are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    return drawn(partial(write_slide, folder), seeds)
