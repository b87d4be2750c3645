"""Regions of one size side by side as squares of a raster: which is whose neighbour, and what is connected.

region (N, 4), level-0 px, in any order ──▶ row, column of each; row 0 is the uppermost, column 0 the leftmost
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.regions import checked_regions

SIZE_TOLERANCE = 0.01
"""Regions are of one size within this share."""

PLACE_TOLERANCE = 0.1
"""They lie within this share of a side where the raster has them: places are rounded to whole px."""

MOST_SQUARES = 2**24
"""A slide of 100 × 100 mm in squares of 25 µm; a single stray region must not cost all memory."""


@dataclass(frozen=True)
class Raster:
    """Where each row lies; rows that came twice lie on the same square."""

    row: NDArray[np.intp]
    """(N,)."""
    column: NDArray[np.intp]
    """(N,)."""
    shape: tuple[int, int]
    """Rows and columns; 0 and 0 without any region."""
    l0_first: NDArray[np.float64]
    """x, y, width, height of the square in row 0, column 0."""

    def filled(self, values: NDArray, empty: float) -> NDArray:
        """(N, …) → (rows, columns, …), `empty` where no region lies; ValueError if two of one place differ."""
        squares = np.full((*self.shape, *values.shape[1:]), empty, values.dtype)
        squares[self.row, self.column] = values
        differs = (squares[self.row, self.column] != values).any(axis=tuple(range(1, values.ndim)))
        if differs.any():
            index = int(differs.argmax())
            raise ValueError(
                f"row {index} contradicts another of the same region: deliveries of two networks or two slides are "
                "mixed; send the slide's tiles again"
            )
        return squares


def raster_of(region: NDArray[np.float32]) -> Raster:
    """Of regions (N, 4); ValueError for regions that are none, of several sizes, or not on one raster."""
    regions = checked_regions("TILE_REGION", region, len(region))
    if not len(regions):
        return Raster(np.empty(0, np.intp), np.empty(0, np.intp), (0, 0), np.zeros(4))
    # The median depends on no order.
    side = np.median(regions[:, 2:], axis=0)
    corner = regions[:, :2].min(axis=0)
    steps = (regions[:, :2] - corner) / side
    places = np.rint(steps)
    _check(regions, (np.abs(regions[:, 2:] / side - 1) > SIZE_TOLERANCE).any(axis=1), f"others are {side.tolist()}")
    _check(regions, (np.abs(steps - places) > PLACE_TOLERANCE).any(axis=1), "it overlaps others, or leaves a gap")
    columns, rows = places.max(axis=0) + 1
    if rows * columns > MOST_SQUARES:
        raise ValueError(f"TILE_REGION spans {rows:.0f} × {columns:.0f} tiles; wanted at most {MOST_SQUARES} in all")
    column, row = places.astype(np.intp).T
    return Raster(row, column, (int(rows), int(columns)), np.concatenate((corner, side)))


def parts_of(squares: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(rows, columns) → the number of the 8-connected part that each square is of, from 0; −1 where it is of none."""
    if not squares.size:
        return np.empty(squares.shape, np.int32)
    _, labels = cv2.connectedComponents(squares.astype(np.uint8), connectivity=8)
    return labels.astype(np.int32) - 1


def _check(regions: NDArray[np.float64], bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(
            f"TILE_REGION {index} is {regions[index].tolist()}; {why}: wanted tiles of one size side by side"
        )
