"""A slide seen once as a whole: which of its squares are stained, which could not be read, and what it looks like."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import Colour, border_colours, is_stained, matches
from histoserve.client.raster import Block, Raster, raster_for
from histoserve.client.slide import RGB, Slide
from histoserve.client.sweep import blocks_of, sweep
from histoserve.client.thumbnail import Thumbnail, thumbnail_of

MASK_MPP = 4.0
"""µm per square, at most: a lone nucleus of 7 µm fills more than half of one wherever it lies; grain is gone."""

STAINED, INSIDE, UNREAD, COLOUR = 1, 2, 4, 4
"""Bits of a square: it is not glass; nor is it without its pixels of a surround's colour; it could not be read. From
bit COLOUR upwards: the number, from 1, of the surround's colour that fills it, or 0."""

LEAST_SHARE = 0.125
"""Of a square, that must show something else than the surround: less is the blur of the surround's edge."""


@dataclass(frozen=True)
class Survey:
    """What was seen of a slide."""

    raster: Raster
    squares: NDArray[np.uint8]
    """(rows, columns), the bits above."""
    colours: list[Colour]
    """That a surround of the scan may have, by number."""
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
    return Survey(raster, squares, colours, picture)


def classify(pixels: RGB, mean: RGB, colours: list[Colour]) -> NDArray[np.uint8]:
    """The bits of a block's squares, from its pixels (h, w, 3) and the squares' means (rows, columns, 3)."""
    stained = is_stained(mean)
    bits = np.where(stained, np.uint8(STAINED | INSIDE), np.uint8(0))
    other = np.full(pixels.shape[:2], 255, np.uint8)
    for number, colour in enumerate(colours, 1):
        filled, near = matches(pixels, mean, colour)
        bits[filled] = bits[filled] & ~(-1 << COLOUR) | number << COLOUR
        other[near > 0] = 0
    if not other.all():
        size = (mean.shape[1], mean.shape[0])
        share = cv2.resize(other, size, interpolation=cv2.INTER_AREA) / np.float32(255)
        mixed = (share < 1) & stained
        # Of each square the sum of its other pixels, then their mean; too few of them count for nothing.
        rest = cv2.resize(cv2.bitwise_and(pixels, pixels, mask=other), size, interpolation=cv2.INTER_AREA)[mixed]
        inside = is_stained(rest / share[mixed][:, None].clip(LEAST_SHARE)) & (share[mixed] >= LEAST_SHARE)
        bits[mixed] &= ~np.where(inside, 0, INSIDE).astype(np.uint8)
    return bits
