"""Slides of which every cell is known, as training data: drawn whole, kept on disk, held in memory.

slide ─▶ JPEG and the place of each cell ─▶ file ─▶ (later) any part of it, and what the truth calls that part

A network that is trained on parts anywhere knows what a raster will show it: tissue's border, halves of a lesion.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.lesion.slide import LesionSlide

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


def keep_slide(path: Path, slide: LesionSlide, block: int) -> None:
    """Draws the slide in squares of `block` px, of which it is a whole number wide and high."""
    width, height = slide.size
    rows = [[slide.draw((x, y, block, block)) for x in range(0, width, block)] for y in range(0, height, block)]
    _, cells = slide.nuclei((0, 0, width, height))
    partial_path = path.with_suffix(".partial.npz")
    np.savez(
        partial_path,
        jpeg=_jpeg(np.vstack([np.hstack(row) for row in rows])),
        cells=cells.centroids.astype(np.float32),
        is_lesion=cells.is_lesion,
        slide_class=str(slide.facts["class"]),
    )
    partial_path.replace(path)


def read_slide(path: Path) -> KnownSlide:
    """As `keep_slide` kept it."""
    with np.load(path) as file:
        coded = cv2.imdecode(file["jpeg"], cv2.IMREAD_COLOR)
        image = cv2.cvtColor(coded, cv2.COLOR_BGR2RGB).astype(np.uint8)
        return KnownSlide(image, file["cells"], file["is_lesion"], str(file["slide_class"]))


def _jpeg(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return np.asarray(cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1], np.uint8)
