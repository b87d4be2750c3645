"""The slide as `overview.png` shows it, for want of the slide itself: with the results drawn on it, and coarse."""

from pathlib import Path

import numpy as np
from PIL import Image

from histoserve.client.grid import Rectangle
from histoserve.client.slide import RGB
from histoserve.client.view.slide_tiles import resample
from histoserve.client.view.zoom import Tile

MOST_PX = 2**26
"""Of the picture's file: ours have less than a tenth."""


class Overview:
    """The part of the picture that is the slide, for the tiles of all zoom levels."""

    def __init__(self, pixels: RGB, l0_size: tuple[int, int]):
        self._pixels = pixels
        self._l0_size = l0_size

    def draw(self, tile: Tile) -> RGB:
        """The tile as RGB (height, width, 3); enlarged smoothly where the picture is coarser."""
        corner, size = (tile.l0_left, tile.l0_top), (tile.width, tile.height)
        ends: list[tuple[float, float]] = []
        for at, (start, px) in enumerate(zip(corner, size, strict=True)):
            length = self._pixels.shape[1 - at]
            per_l0 = length / self._l0_size[at]
            # The last px of the page reaches beyond the slide; the picture ends with it.
            ends.append((start * per_l0, min(length, (start + px * tile.scale) * per_l0)))
        (left, right), (top, bottom) = ends
        return resample(self._pixels, (left, top, right, bottom), size)


def open_overview(path: Path, part: Rectangle, l0_size: tuple[int, int]) -> Overview:
    """`part` of the picture shows the slide. Raises ValueError, in words, for what is no such picture."""
    x, y, width, height = part
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PX:
                raise ValueError(f"{path.name} states {picture.width}×{picture.height} px")
            if min(x, y) < 0 or min(width, height) < 1 or x + width > picture.width or y + height > picture.height:
                raise ValueError(f"the slide's part of {path.name} lies outside of it")
            # Cut by the file's own px: above and below stand the slide's name and a legend.
            cut = picture.convert("RGB").crop((x, y, x + width, y + height))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    return Overview(np.asarray(cut), l0_size)
