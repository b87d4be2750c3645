"""Colours: of glass, and of what surrounds a scan where there is no picture (padding, parts that were not scanned)."""

from contextlib import suppress

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.raster import Block, Raster
from histoserve.client.slide import RGB, Slide
from histoserve.client.sweep import blocks_of, sweep

GLASS_BRIGHTNESS = 200
"""Glass is brighter in every channel; white balance puts it at 230-250, vignetting lowers it to 210."""

GLASS_CHROMA = 18
"""Largest minus smallest channel: tinted glass stays under 12, pale eosin is over 20."""

SURROUND_CHROMA = 24
"""A surround is grey or slightly tinted; an even patch of more colour is kept, for it may be stained."""

EVEN = 2
"""Grey levels by which the means of squares of one surround differ. A picture differs by more over a fraction of a
millimetre, if only by the light and the section's thickness; padding does not, even after JPEG."""

ALMOST = 6
"""Grey levels by which a surround may pass for glass while the ringing at its edge does not."""

FILLED = 0.98
"""Share of a square's pixels that must be near the surround's colour."""

PATCH = 4
"""Squares across and down that must be even together."""

PATCHES = 4
"""On the slide's border, that make a colour worth looking for."""

MOST_COLOURS = 4

Colour = tuple[int, int, int]
"""RGB."""


def is_stained(rgb: NDArray, margin: int = 0) -> NDArray[np.bool_]:
    """Which colours (…, 3) are not those of glass, or nearly not, within a margin in grey levels."""
    darkest, brightest = rgb.min(axis=-1), rgb.max(axis=-1)
    return np.asarray((darkest < GLASS_BRIGHTNESS + margin) | (brightest - darkest >= GLASS_CHROMA - margin))


def matches(pixels: RGB, mean: RGB, colour: Colour) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which squares (rows, columns) a surround's colour fills, and, by 255, which pixels (h, w) are near it.

    Near allows for JPEG's ringing at the surround's edge, which grows with the contrast to the glass beside it.
    """
    ringing = 8 + (255 - min(colour)) / 10
    near = _within(pixels, colour, ringing)
    share = cv2.resize(near, mean.shape[1::-1], interpolation=cv2.INTER_AREA)
    return (_within(mean, colour, EVEN) > 0) & (share >= FILLED * 255), near


def border_colours(slide: Slide, raster: Raster, threads: int) -> list[Colour]:
    """Of the even patches on the slide's border, most frequent first; glass is not among them."""
    columns, rows = raster.columns, raster.rows
    if min(columns, rows) < PATCH:
        return []
    strips = [
        Block(0, 0, columns, PATCH),
        Block(0, rows - PATCH, columns, PATCH),
        Block(0, 0, PATCH, rows),
        Block(columns - PATCH, 0, PATCH, rows),
    ]
    even: list[NDArray[np.uint8]] = []

    def take(block: Block, mean: RGB, unread: NDArray[np.bool_]) -> None:
        if not unread.any():
            even.append(_even_patches(mean))

    blocks = [block for strip in strips for block in blocks_of(slide, raster, strip, PATCH)]
    # A slide of which nothing can be read is refused when all of it is read.
    with suppress(SlideError):
        sweep(slide, raster, blocks, take, threads)
    patches = np.concatenate([np.empty((0, 3), np.uint8), *even])
    return _frequent(patches[is_stained(patches, ALMOST) & (np.ptp(patches, axis=-1) <= SURROUND_CHROMA)])


def _even_patches(mean: RGB) -> NDArray[np.uint8]:
    """The colours (n, 3) of the even ones among the patches of a strip."""
    rows, columns = (length // PATCH for length in mean.shape[:2])
    if not rows or not columns:
        return np.empty((0, 3), np.uint8)
    patches = mean[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH, 3)
    even = np.ptp(patches, axis=(1, 3)).max(axis=-1) <= 2 * EVEN
    return np.median(patches, axis=(1, 3)).astype(np.uint8)[even]


def _frequent(patches: NDArray[np.uint8]) -> list[Colour]:
    """The most frequent colours of (n, 3), each with what is as good as equal to it."""
    colours: list[Colour] = []
    while len(colours) < MOST_COLOURS and len(patches) >= PATCHES:
        found, counts = np.unique(patches, axis=0, return_counts=True)
        distance = np.abs(patches.astype(int) - found[counts.argmax()]).max(axis=1)
        if (distance <= EVEN).sum() >= PATCHES:
            red, green, blue = np.median(patches[distance <= EVEN], axis=0).astype(int).tolist()
            colours.append((red, green, blue))
        patches = patches[distance > 2 * EVEN]
    return colours


def _within(rgb: NDArray[np.uint8], colour: Colour, distance: float) -> NDArray[np.uint8]:
    low, high = ([each + sign * distance for each in colour] for sign in (-1, 1))
    return cv2.inRange(rgb, np.array(low), np.array(high)).astype(np.uint8)
