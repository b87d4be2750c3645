"""Phantom slides as training data: drawn whole, kept on disk with their cells, looked at anywhere.

seed ─▶ slide ─▶ JPEG and the place of each cell ─▶ file ─▶ (later) any part of it, and what the truth calls that part

A network that is trained on parts anywhere knows what a raster will show it: tissue's border, halves of a lesion.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.drawn import drawn
from histoserve.export.tissue.classes import MPP, TILE_PX
from histoserve.phantom.lesion.plan import lesion_slide
from histoserve.phantom.lesion.slide import LesionSlide

FINER = 2
"""Slides are kept at this many times the network's resolution: a crop of a tile is enlarged."""
SIDE = TILE_PX * FINER
"""Of a tile on a kept slide, px."""
TILES = 6
"""Tiles along a slide, which is 3 mm wide and high."""
TRAINING_SEED, VALIDATION_SEED = 30_000_000, 40_000_000
"""The first seeds of the slides that training sees; smaller seeds are free for tests."""
QUALITY = 92
"""Of the JPEG that is kept."""


@dataclass(frozen=True)
class KnownSlide:
    """A slide in memory, with its truth."""

    image: NDArray[np.uint8]
    """RGB (height, width, 3)."""
    cells: NDArray[np.float32]
    """(N, 2): x, y of their centroids, px of the image."""
    is_lesion: NDArray[np.bool_]
    """(N,), of each cell."""
    slide_class: str


def write_slide(folder: Path, seed: int) -> Path:
    """Draws the slide of this seed into `folder` unless it is there."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        side = TILES * SIDE
        slide = lesion_slide((side, side), MPP / FINER, seed)
        _, cells = slide.nuclei((0, 0, side, side))
        partial_path = path.with_suffix(".partial.npz")
        np.savez(
            partial_path,
            jpeg=_jpeg(_whole(slide)),
            cells=cells.centroids.astype(np.float32),
            is_lesion=cells.is_lesion,
            slide_class=str(slide.facts["class"]),
        )
        partial_path.replace(path)
    return path


def read_slide(path: Path) -> KnownSlide:
    """As `write_slide` kept it."""
    with np.load(path) as file:
        coded = cv2.imdecode(file["jpeg"], cv2.IMREAD_COLOR)
        image = cv2.cvtColor(coded, cv2.COLOR_BGR2RGB).astype(np.uint8)
        return KnownSlide(image, file["cells"], file["is_lesion"], str(file["slide_class"]))


def draw_slides(folder: Path, seeds: Iterable[int]) -> list[Path]:
    """Files of the slides of these seeds; those that are not in `folder` yet are drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    return drawn(partial(write_slide, folder), seeds)


def _whole(slide: LesionSlide) -> NDArray[np.uint8]:
    starts = range(0, TILES * SIDE, SIDE)
    return np.vstack([np.hstack([slide.draw((x, y, SIDE, SIDE)) for x in starts]) for y in starts])


def _jpeg(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return np.asarray(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1], np.uint8)
