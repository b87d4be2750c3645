"""Where a slide is cut into tiles.

`l0_` are level-0 pixels of the slide, x right, y down. A tile shows its *region* and answers for its *core*; the rest
of the region is margin, there so that what lies on the core's border is seen whole. On one axis, 5 px long, with
regions of 3 px and a margin of 1 px:

    slide    0 1 2 3 4
    regions  [---]            cores  [-]
               [---]                     |
                 [---]                   [-]      → [0, 2), [2, 3), [3, 5)
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in level-0 px."""


Span = tuple[int, int, int]
"""On one axis: start of the region, start of the core, length of the core."""

AT_ONCE = 1024
"""Tiles whose numbers are made Python's own together."""


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """One tile of a slide's plan."""

    index: int
    """Number in the whole grid, by rows; a tile keeps it whichever others hold tissue."""
    region: Rectangle
    """What the tile shows; exceeds the slide only where the slide is smaller than a tile."""
    core: Rectangle
    """What the tile answers for; the cores of a grid partition the slide."""


class Cores(Sequence[Rectangle]):
    """Of tiles, each made when it is asked for."""

    def __init__(self, tiles: Sequence[PlannedTile]):
        self._tiles = tiles

    def __len__(self) -> int:
        return len(self._tiles)

    @overload
    def __getitem__(self, which: int) -> Rectangle: ...
    @overload
    def __getitem__(self, which: slice) -> "Cores": ...
    def __getitem__(self, which: int | slice) -> "Rectangle | Cores":
        return Cores(self._tiles[which]) if isinstance(which, slice) else self._tiles[which].core

    def __iter__(self) -> Iterator[Rectangle]:
        return (tile.core for tile in self._tiles)

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class TileSize:
    """A tile in level-0 pixels."""

    side: int
    margin: int
    unit: int = 1
    """Regions begin and end at multiples of it: the pixels of the level that is read."""

    @property
    def step(self) -> int:
        """From one tile to the next."""
        return self.side - 2 * self.margin


def tile_size(tile_px: int, network_mpp: float, margin_px: float, slide_mpp: float, unit: int = 1) -> TileSize:
    """The network's tile on a slide of `slide_mpp` µm/px; the margin is rounded up, never to less than asked for.

    Both are multiples of `unit` px, so that a tile shows whole pixels of a level that is coarser by that factor.

    Raises ValueError for a margin that leaves no core.
    """
    scale = network_mpp / slide_mpp
    # The small subtraction keeps 16 * 0.25 / 0.25 and the like from being rounded up by the last bit.
    side, margin = round(tile_px * scale / unit) * unit, math.ceil(margin_px * scale / unit - 1e-6) * unit
    size = TileSize(side, margin, unit)
    if size.step < 1:
        raise ValueError(
            f"a tile of {tile_px} px with a margin of {margin_px:g} px on each side has no core at {slide_mpp:g} µm/px"
        )
    return size


class GridTiles(Sequence[PlannedTile]):
    """Some or all tiles of a grid, by rows, each made when it is asked for: a tile takes 8 bytes, its number."""

    def __init__(self, columns: Sequence[Span], rows: Sequence[Span], side: int, numbers: NDArray[np.int64]):
        """`numbers`: which of the whole grid's tiles, ascending."""
        self._columns, self._rows, self._side, self._numbers = columns, rows, side, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, which: int) -> PlannedTile: ...
    @overload
    def __getitem__(self, which: slice) -> "GridTiles": ...
    def __getitem__(self, which: int | slice) -> "PlannedTile | GridTiles":
        if isinstance(which, slice):
            return self._of(self._numbers[which])
        return self._tile(int(self._numbers[which]))

    def __iter__(self) -> Iterator[PlannedTile]:
        for first in range(0, len(self), AT_ONCE):
            yield from map(self._tile, self._numbers[first : first + AT_ONCE].tolist())

    def __eq__(self, other: object) -> bool:
        return _are_equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def position(self, index: int) -> int | None:
        """Which of these has the number `index` in the whole grid."""
        position = int(np.searchsorted(self._numbers, index))
        return position if position < len(self) and self._numbers[position] == index else None

    def at(self, positions: NDArray[np.int64]) -> "GridTiles":
        """Those at these positions, ascending."""
        return self._of(self._numbers[positions])

    def where(self, wanted: Callable[[PlannedTile], bool]) -> "GridTiles":
        """Those that are wanted."""
        return self._of(np.fromiter((tile.index for tile in self if wanted(tile)), np.int64))

    def _of(self, numbers: NDArray[np.int64]) -> "GridTiles":
        return GridTiles(self._columns, self._rows, self._side, numbers)

    def _tile(self, index: int) -> PlannedTile:
        row, column = divmod(index, len(self._columns))
        x, core_x, core_width = self._columns[column]
        y, core_y, core_height = self._rows[row]
        return PlannedTile(index, (x, y, self._side, self._side), (core_x, core_y, core_width, core_height))


def grid(l0_width: int, l0_height: int, size: TileSize, whole: bool = False) -> GridTiles:
    """Every tile of a slide, by rows from the upper left; `whole`: but none that its border would cut."""
    along = _whole if whole else _axis
    columns, rows = (list(along(length, size)) for length in (l0_width, l0_height))
    return GridTiles(columns, rows, size.side, np.arange(len(columns) * len(rows)))


def _are_equal(own: Sequence[object], other: object) -> bool:
    """A list of the same is equal too."""
    return (
        isinstance(other, Sequence)
        and len(own) == len(other)
        and all(each == another for each, another in zip(own, other, strict=True))
    )


def _axis(length: int, size: TileSize) -> Iterator[Span]:
    """Border cores reach to the slide's border."""
    count = max(1, math.ceil((length - 2 * size.margin) / size.step)) if length > size.side else 1
    for k in range(count):
        start = 0 if k == 0 else k * size.step + size.margin
        end = length if k == count - 1 else (k + 1) * size.step + size.margin
        # The last region is shifted inward, onto real pixels; a slide shorter than a region is padded behind.
        last = math.ceil((length - size.side) / size.unit) * size.unit
        yield max(0, min(k * size.step, last)), start, end - start


def _whole(length: int, size: TileSize) -> Iterator[Span]:
    """As `_axis`, side by side: what remains at the end is nobody's."""
    for start in range(0, length - size.side + 1, size.step):
        yield start, start + size.margin, size.step
