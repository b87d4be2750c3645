"""Labelled tiles of phantom slides: each as a network sees it, and the outlines of its nuclei."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.drawing import Frame
from histoserve.phantom.lesion.plan import CLASSES, lesion_slide
from histoserve.phantom.lesion.slide import LesionSlide
from histoserve.phantom.lesion.tiles import frame_in, tile_class

SLIDE_UM = 4000
MPP = 1.0
SIDE_PX, SEEN_PX = 512, 224
"""A tile of 1024 px at 20x, drawn at half of that, and what the network gets of it."""

_PER_SLIDE = 3


class Tile(NamedTuple):
    """One tile."""

    image: NDArray[np.uint8]
    """RGB (SEEN_PX, SEEN_PX, 3)."""
    outlines: NDArray[np.float64]
    """Nuclei (N, V, 2), µm from the tile's corner."""
    label: int
    """Number in `CLASSES`."""


def tiles(first_seed: int, slides: int) -> Iterator[Tile]:
    """Tiles of `slides` slides in the training's stains, of each class in turn; of those with a lesion two of three
    tiles have their centre in it."""
    size = (round(SLIDE_UM / MPP),) * 2
    for seed in range(first_seed, first_seed + slides):
        slide_class = CLASSES[seed % len(CLASSES)]
        slide = lesion_slide(size, MPP, seed, slide_class=slide_class)
        random = np.random.default_rng(seed)
        for k in range(_PER_SLIDE):
            in_lesion = slide_class != CLASSES[0] and k > 0
            frame = frame_in(slide, SIDE_PX, random, in_lesion=in_lesion)
            found = None if frame is None else _tile(slide, frame, slide_class)
            if found is not None:
                yield found


def _tile(slide: LesionSlide, frame: Frame, slide_class: str) -> Tile | None:
    outlines, cells = slide.nuclei(frame)
    label = tile_class(slide_class, cells.share())
    if label is None or len(outlines) < 20:
        return None
    image = cv2.resize(slide.draw(frame), (SEEN_PX, SEEN_PX), interpolation=cv2.INTER_AREA)
    return Tile(np.asarray(image, np.uint8), (outlines - frame[:2]) * MPP, CLASSES.index(label))
