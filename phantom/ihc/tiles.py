"""Training tiles of IHC without their slides: pictures, instance maps and what is true of each cell."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.drawing import Frame
from histoserve.phantom.ihc.plan import ihc_slide
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.noise import Floats

SLIDE_UM = 2500
"""Side of the slides that tiles are cut from."""

Place = Literal["nests", "anywhere", "apart"]
"""Where a tile lies: its centre in a nest of tumour cells, in tissue of any kind, or there with no nest on the tile."""

_PLACES = 400
_TISSUE = 20.0
_NODES = 12
"""Places looked at along a tile's side, for nests."""


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
    places: Sequence[Place] = ("nests", "anywhere"),
    markers: Sequence[str] = MARKERS,
    stains: str = "training",
) -> Iterator[IhcTile]:
    """Tiles of a slide of each seed, its marker drawn from `markers`: one in each of `places` that there is."""
    size = (round(SLIDE_UM / mpp),) * 2
    for seed in seeds:
        random = np.random.default_rng((seed, _PLACES))
        slide = ihc_slide(size, mpp, seed, marker=markers[int(random.integers(len(markers)))], stains=stains)
        for place in places:
            frame = frame_in(slide, side, random, place)
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


def frame_in(slide: IhcSlide, side: int, random: np.random.Generator, place: Place) -> Frame | None:
    """A square of `side` px on the slide; None where none was found. Apart from nests, single tumour cells may lie."""
    section = slide.section
    width, height = section.size
    if min(width, height) < side:
        return None
    corners = random.integers(0, (width - side + 1, height - side + 1), (_PLACES, 2))
    x, y = section.placement.to_tissue(*((corners + side / 2) * section.mpp).T)
    fits = section.tissue.inside(x, y) > _TISSUE
    if place == "nests":
        fits &= section.tissue.growth.depth(x, y) > 0
    for k in np.flatnonzero(fits):
        if place != "apart" or not _holds_nests(section, corners[k], side):
            return int(corners[k, 0]), int(corners[k, 1]), side, side
    return None


def _holds_nests(section: Section, corner: NDArray[np.integer], side: int) -> bool:
    nodes = np.linspace(0, side, _NODES)
    x, y = section.placement.to_tissue(*(grid * section.mpp for grid in np.meshgrid(*(corner[:, None] + nodes))))
    return bool((section.tissue.growth.depth(x, y) > 0).any())
