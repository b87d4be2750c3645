"""The lesion region of a stained slide (CN114387243A [0126], [0130]): squares around which tumour cells prevail.

cells ─▶ counts in each square ─▶ sums over the squares around it ─▶ enough of them, and mostly tumour ─▶ region

Squares begin at the slide's corner, whatever its tiles are; counts are whole numbers, so no order of cells matters.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

MOST_SQUARES = 2**26
"""Of a slide of a million squares a side, or of coordinates that are none: refused before anything is allocated."""


@dataclass(frozen=True)
class RegionRule:
    """What makes a square part of the lesion region."""

    square_um: float
    """Side of a square."""
    around: int
    """So many squares on each side of a square are looked at with it."""
    least_cells: int
    """Tumour cells there, at least."""
    least_share: float
    """Tumour cells ÷ all cells there, at least."""


@dataclass(frozen=True)
class Region:
    """Squares of a slide."""

    first: NDArray[np.int64]
    """(2,): column and row of the raster's first square, counted from the slide's corner."""
    inside: NDArray[np.bool_]
    """(rows, columns)."""
    squares: NDArray[np.int64]
    """(M, 2): column and row of each cell in it."""

    @property
    def holds(self) -> NDArray[np.bool_]:
        """(M,): whether each cell lies in the region."""
        return np.asarray(self.inside[self.squares[:, 1], self.squares[:, 0]])

    def emptied(self) -> "Region":
        """The same squares, none of them inside."""
        return replace(self, inside=np.zeros_like(self.inside))

    def l0_squares(self, side: float) -> NDArray[np.float32]:
        """(S, 4): x, y, width, height of its squares of `side` level-0 px, by rows."""
        rows, columns = np.nonzero(self.inside)
        corners = (np.column_stack((columns, rows)) + self.first) * side
        return np.column_stack((corners, np.full((len(rows), 2), side))).astype(np.float32)


def lesion_region(centroid: NDArray[np.floating], tumour: NDArray[np.bool_], side: float, rule: RegionRule) -> Region:
    """`centroid` (M, 2) of cells and whether each is a tumour cell; `side` of a square in level-0 px.

    ValueError for cells so far apart that no slide holds them.
    """
    if not len(centroid):
        return Region(np.zeros(2, np.int64), np.zeros((0, 0), np.bool_), np.empty((0, 2), np.int64))
    squares = np.floor(centroid.astype(np.float64) / side).astype(np.int64)
    first = squares.min(axis=0) - rule.around
    squares = squares - first
    columns, rows = (int(each) + 1 + rule.around for each in squares.max(axis=0))
    if columns * rows > MOST_SQUARES:
        raise ValueError(
            f"CENTROID reaches over {columns} × {rows} squares of {rule.square_um:g} µm, wanted {MOST_SQUARES} at most:"
            " send the rows of one slide, with its MPP"
        )
    place = squares[:, 1] * columns + squares[:, 0]
    counts = [np.bincount(cells, minlength=rows * columns).reshape(rows, columns) for cells in (place, place[tumour])]
    every, tumours = (_summed(each, rule.around) for each in counts)
    # Of a square without any cell within, the cells around it decide too: the region has no holes between cells.
    inside = (tumours >= max(1, rule.least_cells)) & (tumours >= rule.least_share * every)
    return Region(first, inside, squares)


def _summed(counts: NDArray[np.int64], around: int) -> NDArray[np.int64]:
    """Of each square and those around it; (rows, columns) stays."""
    for axis in (0, 1):
        before = np.insert(counts.cumsum(axis=axis), 0, 0, axis=axis)
        place = np.arange(counts.shape[axis])
        end = (place + around + 1).clip(max=counts.shape[axis])
        counts = before.take(end, axis=axis) - before.take((place - around).clip(min=0), axis=axis)
    return counts
