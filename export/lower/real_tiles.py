"""Tiles of somebody's own pictures, in the size that a network looks at: what a lower precision is tried on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ENDINGS = (".jpeg", ".jpg", ".png", ".tif", ".tiff")
TILES = 24
"""Of all pictures together, at most."""
COLOUR = ("RGB", "RGBA", "P", "YCbCr", "CMYK")


def real_tiles(folder: Path, side: int, count: int = TILES) -> NDArray[np.uint8]:
    """RGB (tiles, side, side, 3), evenly from all pictures of the folder, in the order of their names.

    The pictures are at the network's µm/px. ValueError for a folder without any, and for pictures smaller than a tile.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]
    squares = [(path, place) for path in paths for place in places(path, side)]
    if not squares:
        raise ValueError(
            f"{folder} holds no colour picture ({', '.join(ENDINGS)}) of {side} × {side} px or more: give pictures of"
            " tissue, at the network's µm/px"
        )
    chosen = np.unique(np.linspace(0, len(squares) - 1, min(count, len(squares))).round().astype(int))
    return np.stack([cut(path, place, side) for path, place in (squares[number] for number in chosen)])


def places(path: Path, side: int) -> Iterator[tuple[int, int]]:
    """Left and top of the tiles that a picture has room for, none over another; none in grey, as labels are."""
    try:
        with Image.open(path) as picture:
            width, height = picture.size if picture.mode in COLOUR else (0, 0)
    except (OSError, ValueError, Image.DecompressionBombError):
        return
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            yield left, top


def cut(path: Path, place: tuple[int, int], side: int) -> NDArray[np.uint8]:
    """ValueError for a damaged picture."""
    left, top = place
    try:
        with Image.open(path) as picture:
            whole = np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read as a picture, or is damaged: {error}") from None
    return whole[top : top + side, left : left + side]
