"""A slide as squares of a few level-0 pixels each, and what a block of them shows.

`l0_` are level-0 pixels of the slide.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from histoserve.client.grid import Rectangle
from histoserve.client.slide import LEVEL_TOLERANCE, RGB, Slide


@dataclass(frozen=True)
class Block:
    """A rectangle of squares."""

    left: int
    top: int
    columns: int
    rows: int

    @property
    def cut(self) -> tuple[slice, slice]:
        """Where it lies in an array (rows, columns, …)."""
        return slice(self.top, self.top + self.rows), slice(self.left, self.left + self.columns)

    def within(self, outer: "Block") -> "Block":
        """Counted from the outer block's corner."""
        return Block(self.left - outer.left, self.top - outer.top, self.columns, self.rows)

    def quarters(self) -> Iterator["Block"]:
        """Up to four parts, cut where a power of two ends, as a slide's tiles do; a single square has one."""
        half = max(1, 1 << (max(self.columns, self.rows) - 1).bit_length() - 1)
        for top in range(0, self.rows, half):
            for left in range(0, self.columns, half):
                yield Block(
                    self.left + left, self.top + top, min(half, self.columns - left), min(half, self.rows - top)
                )


@dataclass(frozen=True)
class Raster:
    """Squares that cover a slide; those on the right and lower border may reach beyond it."""

    l0_size: tuple[int, int]
    """(width, height)."""
    side: int
    """Of a square, in level-0 px."""

    @property
    def columns(self) -> int:
        """Squares across."""
        return math.ceil(self.l0_size[0] / self.side)

    @property
    def rows(self) -> int:
        """Squares down."""
        return math.ceil(self.l0_size[1] / self.side)

    @property
    def whole(self) -> Block:
        """All of it."""
        return Block(0, 0, self.columns, self.rows)

    def region(self, block: Block) -> Rectangle:
        """The part of the slide in a block."""
        x, y = block.left * self.side, block.top * self.side
        right = min((block.left + block.columns) * self.side, self.l0_size[0])
        bottom = min((block.top + block.rows) * self.side, self.l0_size[1])
        return x, y, right - x, bottom - y

    def filled(self, pixels: RGB, block: Block, downsample: float) -> RGB:
        """The pixels of a block, its border's repeated where it reaches beyond the slide: nothing there is diluted."""
        down, across = (
            max(0, round(count * self.side / downsample) - length)
            for count, length in zip((block.rows, block.columns), pixels.shape[:2], strict=True)
        )
        if not down and not across:
            return pixels
        return cv2.copyMakeBorder(pixels, 0, down, 0, across, cv2.BORDER_REPLICATE).astype(np.uint8)


def raster_for(slide: Slide, downsample: float) -> Raster:
    """Squares of at most `downsample` level-0 px, whole pixels of the coarsest level that is fine enough."""
    level = slide.downsamples[slide.level_for(downsample)]
    return Raster(slide.l0_size, max(1, round(level * math.floor(downsample * LEVEL_TOLERANCE / level))))


def means(pixels: RGB, block: Block) -> RGB:
    """The mean colour of each square (rows, columns, 3)."""
    return cv2.resize(pixels, (block.columns, block.rows), interpolation=cv2.INTER_AREA).astype(np.uint8)
