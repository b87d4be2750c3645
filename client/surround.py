"""What surrounds a scan: parts that were not scanned and padding, of one colour from the slide's border inwards.

No picture is taken for it: only what is even to a few grey levels over a tenth of a millimetre and more, and reaches
the border, is left out; its edge counts as tissue wherever anything but its own colour and glass is seen there.
"""

import math
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import PATCH, Colour
from histoserve.client.errors import SlideError
from histoserve.client.raster import Block, Raster
from histoserve.client.slide import RGB, Slide
from histoserve.client.squares import COLOUR, STAINED, classify
from histoserve.client.sweep import sweep

LEAST_MM2 = 0.02
"""A smaller even part is kept: it might be one within a picture."""

BLUR_PX, BLUR_SQUARES = 16, 2
"""How far from a surround its edge is felt: a block of JPEG's colours, in pixels of the level, and what it cuts."""

FINE_PX = 8
"""Pixels across a square that show a surround's edge apart from what lies beside it; where the mask's level has fewer,
the edge is read again from a finer one."""

AGAIN = 16
"""Squares across and down in a block that is read again."""


@dataclass(frozen=True)
class Surround:
    """Where no picture is, and where its edge is."""

    mask: NDArray[np.bool_]
    """(rows, columns)."""
    edge: NDArray[np.bool_]
    """Squares beside it in which its own colour does not count."""


def surround_of(
    slide: Slide, raster: Raster, squares: NDArray[np.uint8], colours: list[Colour], mpp: float, threads: int
) -> Surround:
    """From the bits of the squares (rows, columns); those on the edge are read again, finer, where that tells more.

    `colours` by number; `mpp`: µm per level-0 px.
    """
    mask = np.zeros(squares.shape, np.bool_)
    least = LEAST_MM2 / (raster.side * PATCH * mpp / 1000) ** 2
    for number in range(1, len(colours) + 1):
        mask |= _connected(squares >> COLOUR == number, least)
    if not mask.any():
        return Surround(mask, mask)
    square_px = raster.side / slide.downsamples[slide.level_for(raster.side)]
    reach = BLUR_SQUARES + math.ceil(BLUR_PX / square_px)
    edge = cv2.dilate(mask.view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).view(np.bool_) & ~mask
    if square_px < FINE_PX and slide.level_for(raster.side / FINE_PX) != slide.level_for(raster.side):
        _read_again(slide, raster, squares, colours, edge, threads)
    return Surround(mask, edge)


def _connected(same: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    patches = _reaching_border(_full_patches(same), least)
    if not patches.any():
        return np.zeros_like(same)
    # Patches are a grid of their own: up to one of them is missing along the surround's edge.
    core = patches.repeat(PATCH, 0).repeat(PATCH, 1)[: same.shape[0], : same.shape[1]]
    return same & cv2.dilate(core, np.ones((2 * PATCH + 1, 2 * PATCH + 1), np.uint8)).view(np.bool_)


def _read_again(
    slide: Slide,
    raster: Raster,
    squares: NDArray[np.uint8],
    colours: list[Colour],
    edge: NDArray[np.bool_],
    threads: int,
) -> None:
    doubtful = edge & (squares & STAINED > 0)
    blocks = [
        Block(left, top, min(AGAIN, raster.columns - left), min(AGAIN, raster.rows - top))
        for top in range(0, raster.rows, AGAIN)
        for left in range(0, raster.columns, AGAIN)
        if doubtful[top : top + AGAIN, left : left + AGAIN].any()
    ]

    def see(part: Block, pixels: RGB, mean: RGB) -> None:
        place = doubtful[part.cut]
        squares[part.cut][place] = classify(pixels, mean, colours)[place]

    # Where this cannot be read, what the coarser level showed stands.
    with suppress(SlideError):
        sweep(slide, raster, blocks, lambda block, mean, unread: None, threads, see, downsample=raster.side / FINE_PX)


def _full_patches(same: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 where all squares of a patch are of the colour; those beyond the raster's end are as their neighbours."""
    rows, columns = same.shape
    padded = np.pad(same, ((0, -rows % PATCH), (0, -columns % PATCH)), mode="edge")
    patches = padded.reshape(padded.shape[0] // PATCH, PATCH, padded.shape[1] // PATCH, PATCH)
    return patches.all(axis=(1, 3)).astype(np.uint8)


def _reaching_border(patches: NDArray[np.uint8], least: float) -> NDArray[np.uint8]:
    """Without the connected parts that are smaller than `least` patches or do not touch the border."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    keep = np.zeros(len(found), np.uint8)
    keep[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = 1
    keep[found[:, cv2.CC_STAT_AREA] < least] = 0
    keep[0] = 0
    return keep[labels]
