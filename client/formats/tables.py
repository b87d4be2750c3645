"""Where the tiles of a TIFF's pyramid lie, and which are missing: OpenSlide paints white over those without a word."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.formats import tags
from histoserve.client.formats.tags import Page


@dataclass(frozen=True)
class TileTable:
    """Of one level."""

    size: tuple[int, int]
    """(width, height) of the level in its own pixels."""
    tile: tuple[int, int]
    """(width, height)."""
    missing: NDArray[np.bool_]
    """(rows, columns)."""

    def misses(self, x: float, y: float, width: float, height: float) -> bool:
        """Whether any tile that this part of the level touches (in its own pixels) is missing."""
        left, top = max(0, int(x // self.tile[0])), max(0, int(y // self.tile[1]))
        right, bottom = math.ceil((x + width) / self.tile[0]), math.ceil((y + height) / self.tile[1])
        return bool(self.missing[top : max(bottom, 0), left : max(right, 0)].any())


def tile_table(page: Page, file_bytes: int) -> TileTable:
    """Of a tiled page whose samples are not in separate planes."""
    columns, rows = -(-page.imagewidth // page.tilewidth), -(-page.imagelength // page.tilelength)
    missing = tags.damaged_segments(page, file_bytes)
    return TileTable(
        (page.imagewidth, page.imagelength),
        (page.tilewidth, page.tilelength),
        np.resize(missing, rows * columns).reshape(rows, columns) if len(missing) else np.ones((rows, columns), bool),
    )
