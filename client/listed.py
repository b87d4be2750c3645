"""Tiles of a work that somebody planned otherwise than in a grid, as `grid.GridTiles` gives those of one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import GridTiles, PlannedTile


class ListedTiles:
    """By index, whatever order they were listed in."""

    def __init__(self, tiles: Sequence[PlannedTile]):
        self._tiles = sorted(tiles, key=lambda tile: tile.index)
        self._positions = {tile.index: position for position, tile in enumerate(self._tiles)}

    def __len__(self) -> int:
        return len(self._tiles)

    def __getitem__(self, position: int) -> PlannedTile:
        return self._tiles[position]

    def position(self, index: int) -> int | None:
        """Of the tile with this index."""
        return self._positions.get(index)

    def at(self, positions: NDArray[np.int64]) -> Sequence[PlannedTile]:
        """Those at these positions."""
        return [self._tiles[position] for position in positions.tolist()]


def by_index(tiles: Sequence[PlannedTile]) -> GridTiles | ListedTiles:
    """In which a tile is found by its index; those of a grid take no memory for it."""
    return tiles if isinstance(tiles, GridTiles) else ListedTiles(tiles)
