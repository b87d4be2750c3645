"""Where shapes are: a loose quadtree in a few arrays, which need not be in memory.

A ring belongs to the cell in which its middle lies, among cells of a size between its extent and twice that; it
reaches out of the cell by half of it at most. Rings are sorted by the size, row and column of their cells, so those of
a row of cells stand together, and one huge region does not make the search for small nuclei any wider.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.client.view.layers.read import FARTHEST_PX

LEAST_CELL_PX = 32
"""Level-0 px: most nuclei's."""

SIZES = 21
"""Classes of size; the last one holds what reaches from one end to the other, see FARTHEST_PX."""

SIZE_SHIFT, ROW_SHIFT = 46, 23
"""A key is size, row, column; a row or column is never negative, see `_cell`."""

Square = tuple[float, float, float, float]
"""Left, top, right, bottom in level-0 px."""


@dataclass(frozen=True)
class Index:
    """The rings of a layer, in the order of their cells."""

    key: NDArray[np.int64]
    """(rings), the cells; sorted."""
    box: NDArray[np.float32]
    """(rings, 4): left, top, right, bottom in level-0 px."""
    of: NDArray[np.int32]
    """(rings), classes."""
    hole: NDArray[np.bool_]
    """(rings), those cut out of others."""
    line: NDArray[np.int64]
    """(rings), where their features begin in the GeoJSON."""
    start: NDArray[np.int64]
    """(rings + 1), their first points."""
    points: NDArray[np.float32]
    """(points, 2) in level-0 px."""

    def within(self, l0_square: Square) -> NDArray[np.int64]:
        """Numbers of the rings whose boxes touch the square, in order."""
        found = [self._in_cells(size, l0_square) for size in range(SIZES)]
        near = np.concatenate(found)
        box = self.box[near]
        left, top, right, bottom = l0_square
        touching = (box[:, 0] <= right) & (box[:, 2] >= left) & (box[:, 1] <= bottom) & (box[:, 3] >= top)
        return near[touching]

    def extent(self, rings: NDArray[np.int64]) -> NDArray[np.float64]:
        """Their longer sides in level-0 px."""
        box = self.box[rings].astype(np.float64)
        longer: NDArray[np.float64] = (box[:, 2:] - box[:, :2]).max(axis=1, initial=0)
        return longer

    def outlines(self, rings: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Their points, one ring after the other, and where each begins."""
        first = self.start[rings]
        counts = self.start[rings + 1] - first
        return self.points[_ranges(first, counts)], np.cumsum(counts) - counts

    def _in_cells(self, size: int, l0_square: Square) -> NDArray[np.int64]:
        first, last = np.searchsorted(self.key, (size << SIZE_SHIFT, (size + 1) << SIZE_SHIFT))
        if first == last:
            return np.zeros(0, np.int64)
        half = (LEAST_CELL_PX << size) / 2
        left, top, right, bottom = np.array(l0_square).clip(-FARTHEST_PX, FARTHEST_PX) + np.array(
            (-half, -half, half, half)
        )
        (low_row, high_row), columns = _cell(np.array((top, bottom)), size), _cell(np.array((left, right)), size)
        # No more rows than there are.
        present = (self.key[[first, last - 1]] >> ROW_SHIFT) & ((1 << ROW_SHIFT) - 1)
        rows = np.arange(max(low_row, present[0]), min(high_row, present[1]) + 1)
        begin = np.searchsorted(self.key, _key(size, rows, columns[0]))
        end = np.searchsorted(self.key, _key(size, rows, columns[1]), "right")
        return _ranges(begin, end - begin)


def keys_of(box: NDArray[np.float32]) -> NDArray[np.int64]:
    """(rings, 4) → the cells that they belong to."""
    extent = np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]).astype(np.float64)
    size = np.ceil(np.log2(np.maximum(extent, 1) / LEAST_CELL_PX)).clip(0, SIZES - 1).astype(np.int64)
    middle = (box[:, :2].astype(np.float64) + box[:, 2:]) / 2
    return _key(size, _cell(middle[:, 1], size), _cell(middle[:, 0], size))


def load_index(folder: Path) -> Index:
    """What `build_index` left; raises OSError and ValueError."""
    return Index(**{field.name: mapped(folder / f"{field.name}.npy") for field in fields(Index)})


def mapped(path: Path) -> NDArray:
    """A saved array, read when it is used; raises OSError and ValueError."""
    return np.asarray(np.load(path, mmap_mode="r"))


def _cell(l0_places: NDArray[np.floating], size: NDArray[np.int64] | int) -> NDArray[np.int64]:
    # Twice the farthest: a square's half cell may lie beyond it.
    return np.floor((l0_places + 2 * FARTHEST_PX) / (LEAST_CELL_PX * 2.0**size)).astype(np.int64)


def _key(
    size: NDArray[np.int64] | int, row: NDArray[np.int64], column: NDArray[np.int64] | np.int64
) -> NDArray[np.int64]:
    return (np.int64(size) << SIZE_SHIFT) | (row << ROW_SHIFT) | column


def _ranges(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """first, first + 1, … of each, `counts` of them."""
    before = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) + np.repeat(first - before, counts)
