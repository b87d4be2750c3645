"""Training tiles of IHC without their slides: pictures, instance maps and what is true of each cell."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.drawing import Frame
from histoserve.phantom.ihc.plan import ihc_slide
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.noise import Floats

SLIDE_UM = 2500
"""Side of the slides that tiles are cut from."""

_PLACES = 400
_TISSUE = 20.0


class IhcTile(NamedTuple):
    """One tile; all arrays of cells have one length N, of the nuclei that reach into it."""

    image: NDArray[np.uint8]
    """RGB (side, side, 3)."""
    instances: NDArray[np.int32]
    """(side, side), 0 where there is no nucleus, else 1 to N."""
    types: NDArray[np.uint8]
    """(N + 1,): number from 1 in `slide.TYPES` of each instance; the first is 0."""
    outlines: Floats
    """Of the nuclei, (N, V, 2) in pixels of the tile; some reach beyond it."""
    positive: NDArray[np.bool_]
    tumour: NDArray[np.bool_]
    marker: str

    def ratio(self) -> float:
        """Positive tumour cells ÷ tumour cells; NaN without any."""
        return float(self.positive[self.tumour].mean()) if self.tumour.any() else float("nan")


def ihc_tiles(
    seeds: Sequence[int],
    *,
    side: int = 512,
    mpp: float = 0.25,
    per_slide: int = 2,
    markers: Sequence[str] = MARKERS,
    stains: str = "training",
) -> Iterator[IhcTile]:
    """Tiles of a slide of each seed, its marker drawn from `markers`; every second tile lies on a tumour's nests."""
    size = (round(SLIDE_UM / mpp),) * 2
    for seed in seeds:
        random = np.random.default_rng((seed, _PLACES))
        slide = ihc_slide(size, mpp, seed, marker=markers[int(random.integers(len(markers)))], stains=stains)
        for k in range(per_slide):
            frame = frame_in(slide, side, random, in_nests=k % 2 == 0)
            if frame is not None:
                yield ihc_tile(slide, frame)


def ihc_tile(slide: IhcSlide, frame: Frame) -> IhcTile:
    """The tile of a frame."""
    cells = slide.section.near(frame)
    low, high = cells.outlines.min(axis=1), cells.outlines.max(axis=1)
    cells = cells[np.all((high > frame[:2]) & (low < np.add(frame[:2], frame[2:])), axis=1)]
    labels = slide.labels(frame, cells)
    shown = np.unique(labels[labels > 0])
    number = np.zeros(len(cells) + 1, np.int32)
    number[shown] = np.arange(1, len(shown) + 1)
    cells = cells[shown - 1]
    types = np.concatenate([[0], slide.types_of(cells)]).astype(np.uint8)
    outlines = cells.outlines - np.array(frame[:2])
    positive = slide.positive(cells)
    return IhcTile(slide.draw(frame), number[labels], types, outlines, positive, cells.tumour, slide.marker)


def frame_in(slide: IhcSlide, side: int, random: np.random.Generator, *, in_nests: bool) -> Frame | None:
    """A square of `side` px on the slide, its centre in tissue, or in a nest; None where none was found."""
    section = slide.section
    width, height = section.size
    if min(width, height) < side:
        return None
    corners = random.integers(0, (width - side + 1, height - side + 1), (_PLACES, 2))
    x, y = section.placement.to_tissue(*((corners + side / 2) * section.mpp).T)
    fits = section.tissue.inside(x, y) > _TISSUE
    if in_nests:
        fits &= section.tissue.growth.depth(x, y) > 0
    found = np.nonzero(fits)[0]
    return (int(corners[found[0], 0]), int(corners[found[0], 1]), side, side) if len(found) else None
