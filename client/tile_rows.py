"""Rows of which each tile has one, as columns: 24 bytes a tile and those of its values, however they came."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import PlannedTile


class TileRows:
    """By tile; of a tile that comes again the last row counts."""

    def __init__(self) -> None:
        self._indices, self._regions, self._values = array("q"), array("f"), array("f")
        self._shape: tuple[int, ...] = ()

    def put(self, tiles: Sequence[PlannedTile], values: NDArray[np.float32]) -> None:
        """`values` (tiles, …), of the same shape each time; copied."""
        self._shape = values.shape[1:]
        self._indices.extend(tile.index for tile in tiles)
        self._regions.frombytes(l0_regions(tiles).tobytes())
        self._values.frombytes(values.astype(np.float32, copy=False).tobytes())

    def __bool__(self) -> bool:
        return len(self._indices) > 0

    def ordered(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Regions (rows, 4) and values (rows, …), by the tiles' index: they do not depend on when a row came."""
        indices = np.array(self._indices, np.int64)
        # The first of the last ones, seen from behind.
        _, behind = np.unique(indices[::-1], return_index=True)
        rows = len(indices) - 1 - behind
        values = np.array(self._values, np.float32).reshape(len(indices), *self._shape)
        return np.array(self._regions, np.float32).reshape(-1, 4)[rows], values[rows]


def l0_regions(tiles: Sequence[PlannedTile]) -> NDArray[np.float32]:
    """(tiles, 4), as requests have them."""
    return np.array([tile.region for tile in tiles], np.float32).reshape(-1, 4)
