"""A slide seen once as a whole: which of its squares are stained, which could not be read, and what it looks like."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import border_colours
from histoserve.client.raster import Block, Raster, raster_for
from histoserve.client.slide import RGB, Slide
from histoserve.client.squares import UNREAD, classify
from histoserve.client.surround import Surround, surround_of
from histoserve.client.sweep import blocks_of, sweep
from histoserve.client.thumbnail import Thumbnail, thumbnail_of

MASK_MPP = 4.0
"""µm per square, at most: a lone nucleus of 7 µm fills more than half of one wherever it lies; grain is gone."""


@dataclass(frozen=True)
class Survey:
    """What was seen of a slide."""

    raster: Raster
    squares: NDArray[np.uint8]
    """(rows, columns), bits as in `squares`."""
    surround: Surround
    thumbnail: RGB
    """The whole slide."""


def survey_slide(
    slide: Slide, mpp: float, longest: int, threads: int, progress: Callable[[str], None] = lambda text: None
) -> Survey:
    """Reads the whole slide once, at the coarsest level that is as fine as the mask; a small one once more.

    `mpp`: µm per level-0 px; `longest`: longer side of the thumbnail; `progress` is told in words.
    Raises SlideError if nothing of the slide can be read.
    """
    raster = raster_for(slide, MASK_MPP / mpp)
    colours = border_colours(slide, raster, threads)
    squares = np.full((raster.rows, raster.columns), UNREAD, np.uint8)
    # A slide of fewer squares than the thumbnail has pixels is small: what is read once more is little.
    bundle = max(raster.columns, raster.rows) // longest
    thumbnail = Thumbnail(raster, max(1, bundle))

    def see(part: Block, pixels: RGB, mean: RGB) -> None:
        squares[part.cut] = classify(pixels, mean, colours)

    blocks = blocks_of(slide, raster, raster.whole, thumbnail.bundle)
    sweep(
        slide,
        raster,
        blocks,
        thumbnail.take,
        threads,
        see,
        lambda done: progress(f"planning, {100 * done // len(blocks)} %"),
    )
    picture = thumbnail.shrunk(longest) if bundle else thumbnail_of(slide, longest, threads)
    return Survey(raster, squares, surround_of(slide, raster, squares, colours, mpp, threads), picture)
