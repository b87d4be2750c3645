"""Tiles of an open slide at any zoom, also where its own levels are no powers of two.

A tile of the page is read from the next finer level: whole pixels of that level around it, then resampled from the
exact place in them. The exactness is that of `Slide.read`, half a level-0 px.

    level's px    |  a  |  b  |  c  |  d  |  e  |
    page's px        |    0    |    1    |          read: a to e, resampled from the middle of a
"""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from histoserve.client.errors import SlideError
from histoserve.client.slide import RGB, UNREAD, Slide
from histoserve.client.view.zoom import Tile

BLOCK_PX = 2048
"""Of a level, read at a time: 12 MB."""

LEAST_PX = 160
"""A part this small that cannot be read is grey as a whole; of a larger one its parts are tried."""

MARGIN = 2
"""Px of the page around what is shown: the filter's reach, and one for rounding."""


LEAST_STEP = 8
"""Px of the page that are drawn at a time, also where that takes a larger block."""


class Drawn(NamedTuple):
    """A picture of part of a slide."""

    pixels: RGB
    whole: bool
    """False where some of it could not be read and is grey."""


class _Axis(NamedTuple):
    """One axis of what is read for a block: pixels `first` to `end` of the level, and what of them is shown."""

    first: int
    end: int
    missing: int
    """Pixels behind `end` that the level lacks, though the block shows them."""
    last: int
    """Pixels before `end` that the last px of the page shows, if there are any missing."""
    shown: tuple[float, float]
    """From `first`."""


def draw_tile(slide: Slide, tile: Tile) -> Drawn:
    """The tile as RGB (height, width, 3)."""
    level = slide.level_for(tile.scale)
    step = max(LEAST_STEP, math.floor(BLOCK_PX * slide.downsamples[level] / tile.scale) - 2 * MARGIN)
    pixels, whole = np.empty((tile.height, tile.width, 3), np.uint8), True
    for top in range(0, tile.height, step):
        for left in range(0, tile.width, step):
            part = pixels[top : top + step, left : left + step]
            corner = tile.l0_left + left * tile.scale, tile.l0_top + top * tile.scale
            drawn = _draw(slide, level, corner, (part.shape[1], part.shape[0]), tile.scale)
            part[:], whole = drawn.pixels, whole and drawn.whole
    return Drawn(pixels, whole)


def pixels_read(slide: Slide, tile: Tile) -> float:
    """Of the level that a tile is made of."""
    per_px = tile.scale / slide.downsamples[slide.level_for(tile.scale)]
    return tile.width * tile.height * per_px**2


def resample(pixels: RGB, shown: tuple[float, float, float, float], size: tuple[int, int]) -> RGB:
    """The part `shown` (left, top, right, bottom, in px) as a picture of `size` (width, height), antialiased."""
    picture = Image.fromarray(pixels)
    left, top, right, bottom = (round(edge) for edge in shown)
    factor = max(1, (right - left) // size[0])
    if (left, top, right, bottom) == shown and (right - left, bottom - top) == (factor * size[0], factor * size[1]):
        # Whole pixels in each: their mean is exact, and twice as fast.
        return np.asarray(picture.reduce(factor, (left, top, right, bottom)))
    return np.asarray(picture.resize(size, Image.Resampling.HAMMING, box=shown))


def _draw(slide: Slide, level: int, l0_corner: tuple[int, int], size: tuple[int, int], scale: int) -> Drawn:
    downsample = slide.downsamples[level]
    x, y = (
        _axis(l0_start, px, scale, downsample, l0_length)
        for l0_start, px, l0_length in zip(l0_corner, size, slide.l0_size, strict=True)
    )
    read, whole = _read(slide, level, (x.first, y.first, x.end - x.first, y.end - y.first))
    for at, axis in enumerate((y, x)):
        if axis.missing:
            # At the border the last px of the page shows less than the others: the mean of that, not mixed with white.
            shown = np.take(read, range(-axis.last, 0), at).mean(at, keepdims=True).round().astype(np.uint8)
            read = np.concatenate([read, np.repeat(shown, axis.missing, at)], at)
    return Drawn(resample(read, (x.shown[0], y.shown[0], x.shown[1], y.shown[1]), size), whole)


def _axis(l0_start: int, px: int, scale: int, downsample: float, l0_length: int) -> _Axis:
    length = max(1, math.floor(l0_length / downsample))
    start, end = l0_start / downsample, (l0_start + px * scale) / downsample
    # Where whole px are put together, none around them is looked at.
    whole = start == int(start) and scale / downsample == scale // downsample
    margin = 0.0 if whole else MARGIN * max(1.0, scale / downsample)
    first = max(0, min(math.floor(start - margin), length - 1))
    stop = max(first + 1, min(math.ceil(end + margin), length))
    last = max(1, min(stop - first, round(stop - (end - scale / downsample))))
    return _Axis(first, stop, max(0, math.ceil(end) - stop), last, (start - first, end - first))


def _read(slide: Slide, level: int, part: tuple[int, int, int, int]) -> Drawn:
    """`part`: x, y, width, height in px of the level."""
    downsample = slide.downsamples[level]
    x, y, width, height = (round(each * downsample) for each in part)
    try:
        return Drawn(slide.read((x, y, width, height), level), True)
    except (SlideError, OSError):
        return _read_in_parts(slide, level, part)


def _read_in_parts(slide: Slide, level: int, part: tuple[int, int, int, int]) -> Drawn:
    """What of it can be read."""
    left, top, width, height = part
    pixels = np.full((height, width, 3), UNREAD, np.uint8)
    if max(width, height) <= LEAST_PX:
        return Drawn(pixels, False)
    step = max(LEAST_PX, -(-max(width, height) // 4))
    for y in range(0, height, step):
        for x in range(0, width, step):
            across, down = min(step, width - x), min(step, height - y)
            pixels[y : y + down, x : x + across] = _read(slide, level, (left + x, top + y, across, down)).pixels
    return Drawn(pixels, False)
