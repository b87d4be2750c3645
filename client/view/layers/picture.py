"""A tile's picture: drawn with a margin, handed out as transparent PNG.

Colours are blue, green, red, opacity, as OpenCV's; while it is drawn on, they are multiplied by the opacity, which is
what OpenCV's smooth lines on a transparent ground come to. A mask has one channel, see `ramps`.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Colour
from histoserve.client.view.layers.tile import Size, Tile

MARGIN_PX = 64
"""Around the tile: what OpenCV cuts off at a picture's border, it draws otherwise near that border too."""

PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
"""Fast: a tile is looked at for seconds."""


class Picture:
    """Transparent at first."""

    def __init__(self, tile: Tile, mask: bool = False):
        width, height = tile.size
        size = height + 2 * MARGIN_PX, width + 2 * MARGIN_PX
        self.tile = tile
        self.whole: NDArray[np.uint8] = np.zeros(size if mask else (*size, 4), np.uint8)
        """(H, W, 4), or (H, W) of a mask, with the margin."""

    @property
    def corner(self) -> tuple[int, int]:
        """Of `whole`, in px of the page."""
        return self.tile.corner[0] - MARGIN_PX, self.tile.corner[1] - MARGIN_PX

    def fill(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """A rectangle in px of the page, without the right and bottom ones."""
        x, y = self.corner
        rows, columns = slice(max(0, top - y), max(0, bottom - y)), slice(max(0, left - x), max(0, right - x))
        self.whole[rows, columns] = opaque(colour)

    @property
    def inside(self) -> NDArray[np.uint8]:
        """Without the margin."""
        width, height = self.tile.size
        return self.whole[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]

    def png(self) -> bytes:
        """Without the margin."""
        return png_of(np.asarray(cv2.cvtColor(self.inside, cv2.COLOR_mRGBA2RGBA), np.uint8))


def opaque(colour: Colour) -> tuple[int, int, int, int]:
    """As OpenCV takes it."""
    red, green, blue = colour
    return blue, green, red, 255


def png_of(pixels: NDArray[np.uint8]) -> bytes:
    """Of blue, green, red, opacity (H, W, 4), not multiplied."""
    return cv2.imencode(".png", pixels, PNG)[1].tobytes()


@lru_cache(64)
def empty(size: Size) -> bytes:
    """A tile with nothing on it."""
    return cv2.imencode(".png", np.zeros((size[1], size[0], 4), np.uint8))[1].tobytes()
