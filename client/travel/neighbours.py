"""An order of tiles in which those that follow each other lie beside each other, so that they share pictures."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import PlannedTile


def by_neighbours(tiles: Sequence[PlannedTile]) -> NDArray[np.int64]:
    """(n,) numbers of the tiles along Hilbert's curve: any run is a compact patch, 4ⁿ of a whole grid a square."""
    corners = np.fromiter((tile.region[:2] for tile in tiles), np.dtype((np.int64, 2)), len(tiles))
    if not len(corners):
        return np.empty(0, np.int64)
    columns, rows = (np.unique(axis, return_inverse=True)[1] for axis in corners.T)
    return np.argsort(hilbert_index(columns, rows), kind="stable")


def hilbert_index(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) where each place (n,), (n,) of a grid comes on the curve."""
    x, y = columns.astype(np.int64), rows.astype(np.int64)
    index = np.zeros_like(x)
    side = 1 << int(max(x.max(), y.max())).bit_length()
    while side > 1:
        side //= 2
        right, below = (x & side) > 0, (y & side) > 0
        index += side * side * ((3 * right) ^ below)
        # Each quarter's curve is the whole one, mirrored in the first and the last.
        flip = right & ~below
        x, y = np.where(flip, side - 1 - (x & (side - 1)), x), np.where(flip, side - 1 - (y & (side - 1)), y)
        x, y = np.where(below, x, y), np.where(below, y, x)
    return index
