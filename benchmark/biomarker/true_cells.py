"""What is true of a tile, by the phantom's own cells: whoever reads an IHC tile can do no better.

It stands in for the network that reads IHC tiles. Labels still miss what the H&E shows: the sections are two, share a
part of their cells, and lie where registration has them.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.grid import Rectangle
from histoserve.client.labels.cut import tiles_of
from histoserve.client.registration.registration import Registration
from histoserve.client.registration.through import read_through
from histoserve.client.slide import RGB, open_slide
from histoserve.client.tile_reading import Reading, ReadTile
from histoserve.export.biomarker.network import MPP, TILE_PX
from histoserve.phantom.biomarker.cells import Cells
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.ihc.slide import IhcSlide
from histoserve.phantom.lesion.share import centroids


@contextmanager
def true_reader(he: Path, ihc: Path, laid: Registration, drawn: IhcSlide, lesion: bool) -> Iterator[ReadTile]:
    """As `tile_reader`, of the tiles of this pair alone; without `lesion` every cell counts, tumour or not.

    A tile is known by its pixels, as whoever reads it is given nothing else.
    """
    with open_slide(he) as he_slide, open_slide(ihc) as ihc_slide:
        regions = tiles_of(he_slide, laid.he.mpp, TILE_PX, MPP)
        pictures = (read_through(ihc_slide, laid, region, (TILE_PX, TILE_PX)) for region in regions)
        known = {
            _digest(picture): counted(laid, drawn, region, lesion)
            for picture, region in zip(pictures, regions, strict=True)
        }
    yield partial(read_known, known)


def read_known(known: dict[bytes, Reading], picture: RGB, mpp: float) -> Reading:
    """Of the tile with these pixels; raises SlideError for another."""
    if (digest := _digest(picture)) not in known:
        raise SlideError("The picture is no tile of this pair: the true cells of others are not known.")
    return known[digest]


def _digest(picture: RGB) -> bytes:
    return hashlib.sha256(picture.tobytes()).digest()


def counted(laid: Registration, drawn: IhcSlide, region: Rectangle, lesion: bool) -> Reading:
    """The cells of the IHC that lie under a region of the H&E, by where registration has it."""
    cells = drawn.section.near(laid.ihc_region(region))
    cells = cells[_within(laid.to_he(centroids(cells.outlines)), region)]
    cells = cells[cells.tumour] if lesion else cells
    positive = int(drawn.positive(cells).sum())
    return Reading(positive, len(cells) - positive, 0.0)


def _within(places: NDArray[np.float64], region: Rectangle) -> NDArray[np.bool_]:
    low, high = np.array(region[:2]), np.add(region[:2], region[2:])
    return np.asarray(((places >= low) & (places < high)).all(axis=1))


def true_readings(section: Section, regions: Sequence[Rectangle]) -> NDArray[np.float64]:
    """(regions, markers): positive ÷ tumour cells of each region of an H&E; NaN without any."""
    return np.array([_shares(section.within(region)) for region in regions])


def _shares(cells: Cells) -> NDArray[np.float64]:
    tumour = cells.positive[cells.tumour]
    return tumour.mean(axis=0) if len(tumour) else np.full(cells.positive.shape[1], np.nan)


Reader = Callable[[], AbstractContextManager[ReadTile]]
