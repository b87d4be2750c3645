"""The picture of a whole slide."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.raster import Block, Raster
from histoserve.client.slide import RGB, Slide
from histoserve.client.sweep import blocks_of, sweep


class Thumbnail:
    """A picture put together from the mean colours of a raster's squares."""

    def __init__(self, raster: Raster, bundle: int):
        """`bundle`: squares across and down in a pixel."""
        self.bundle = bundle
        self._pixels = np.empty((-(-raster.rows // bundle), -(-raster.columns // bundle), 3), np.uint8)

    def take(self, block: Block, mean: RGB, unread: NDArray[np.bool_]) -> None:
        """As `sweep.Take`; the block's corner lies at a multiple of `bundle`."""
        bundle = self.bundle
        down, across = -block.rows % bundle, -block.columns % bundle
        if bundle > 1:
            mean = cv2.copyMakeBorder(mean, 0, down, 0, across, cv2.BORDER_REPLICATE).astype(np.uint8)
        columns, rows = mean.shape[1] // bundle, mean.shape[0] // bundle
        place = Block(block.left // bundle, block.top // bundle, columns, rows)
        self._pixels[place.cut] = cv2.resize(mean, (columns, rows), interpolation=cv2.INTER_AREA)

    def shrunk(self, longest: int) -> RGB:
        """With the longer side at most `longest` px."""
        height, width = self._pixels.shape[:2]
        scale = min(1.0, longest / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return cv2.resize(self._pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def thumbnail_of(slide: Slide, longest: int, threads: int) -> RGB:
    """The whole slide with its longer side at most `longest` px, unreadable parts grey; for small slides.

    Raises SlideError if nothing of it can be read.
    """
    raster = Raster(slide.l0_size, max(1, max(slide.l0_size) // longest))
    thumbnail = Thumbnail(raster, 1)
    sweep(slide, raster, blocks_of(slide, raster, raster.whole), thumbnail.take, threads)
    return thumbnail.shrunk(longest)
