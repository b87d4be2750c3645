"""Tiles of phantom slides with their true tumour cells, and what can be measured of these."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.cells import Cells
from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.biomarker.plan import biomarker_slide
from histoserve.phantom.biomarker.slide import BiomarkerSlide
from histoserve.phantom.drawing import Frame
from histoserve.phantom.he.raster import paste

Floats = NDArray[np.float64]

SLIDE_UM, MPP, SIDE_PX = 1200.0, 0.4, 320
_FEWEST = 25
"""Tumour cells of a tile that is measured."""
_PLACES = 500
_SMOOTH_PX = 3
"""Chromatin that is finer is not measured."""


class Measured(NamedTuple):
    """Of one tile."""

    readings: Floats
    """True positives ÷ tumour cells, by marker."""
    signs: dict[str, float]
    """What each marker but `null` does to its cells, by marker; more is more."""
    colour: Floats
    """Mean of R, G and B."""
    density: float
    """Tumour cells in the tile."""


def measured(seeds: Iterable[int]) -> Iterator[Measured]:
    """A tile of the slide of each seed, amid tumour nests; none of a slide without."""
    size = (round(SLIDE_UM / MPP),) * 2
    for seed in seeds:
        slide = biomarker_slide(size, MPP, seed)
        frame = _frame(slide, seed)
        cells = slide.section.within(frame)
        cells = cells[cells.tumour]
        if len(cells) >= _FEWEST:
            image = slide.draw(frame)
            signs = _signs(image, cells, slide, frame)
            colour = np.asarray(image.mean(axis=(0, 1)))
            yield Measured(cells.positive.mean(axis=0), signs, colour, float(len(cells)))


def _frame(slide: BiomarkerSlide, seed: int) -> Frame:
    random = np.random.default_rng(seed)
    corners = random.integers(0, [length - SIDE_PX for length in slide.section.size], (_PLACES, 2))
    x, y = ((corners + SIDE_PX / 2) * MPP).T
    depth = np.minimum(slide.section.tissue.inside(x, y), slide.section.tissue.growth.depth(x, y))
    left, top = corners[int(np.argmax(depth))].tolist()
    return left, top, SIDE_PX, SIDE_PX


def _signs(image: NDArray[np.uint8], cells: Cells, slide: BiomarkerSlide, frame: Frame) -> dict[str, float]:
    density = -np.log((image[..., 0].astype(np.float64) + 1) / 256)
    labels = slide.labels(frame, cells)
    within = cv2.erode((labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inner = np.where(within, labels, 0).ravel()
    smooth = cv2.blur(density, (_SMOOTH_PX, _SMOOTH_PX))
    # One by the other: strength of stain and darkness of nuclei fall out.
    coarse = np.mean(_deviations(smooth, inner, len(cells)) / _deviations(density, inner, len(cells)))
    area = np.bincount(labels.ravel(), minlength=len(cells) + 1)[1:]
    even = -float(np.mean(area))
    values = [float(coarse), even, even, _border(image, cells, labels, frame)]
    return dict(zip(MARKERS, values, strict=False))


def _deviations(plane: Floats, labels: NDArray[np.int32], number: int) -> Floats:
    """Of the plane within each label, (number,); small where a label has no pixel."""
    area = np.bincount(labels, minlength=number + 1)[1:].clip(1)
    mean, square = (np.bincount(labels, plane.ravel() ** k, number + 1)[1:] / area for k in (1, 2))
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 1e-12)))


def _border(image: NDArray[np.uint8], cells: Cells, nuclei: NDArray[np.int32], frame: Frame) -> float:
    """How much darker in green the cells' borders are than the rest of their bodies."""
    depth, number = paste(cells.bodies, cells.centres, frame, 1.0)
    under = np.where((number > 0) & (nuclei == 0), depth * MPP, np.nan)
    green = image[..., 1].astype(np.float64)
    border, body = green[abs(under) < 0.4], green[under > 0.8]
    return float(body.mean() - border.mean()) if len(body) and len(border) else 0.0
