"""A grid's values as squares of one colour each, with the numbers where there is room."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Grid
from histoserve.client.results.palette import colours_of
from histoserve.client.results.pictures.grid import shown_value
from histoserve.client.results.pictures.lettering import contrast, width_of, write_rimmed
from histoserve.client.results.upright import upright
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.picture import Picture, empty
from histoserve.client.view.layers.tile import Size, Tile, edges, tile_of

NUMBER_PX, PAD_PX = 15, 4


@dataclass(frozen=True)
class _Axis:
    """The grid's columns, or rows, along a tile."""

    borders: NDArray[np.int64]
    """(count + 1) in px of the page; neighbours share theirs."""
    pixels: slice
    """Those that show any, counted from the tile's corner."""
    first: NDArray[np.int64]
    """The first column of each run of columns that have px in common; a run is one column where it is a px or more."""
    stop: int
    """Behind the last run."""
    run: NDArray[np.int64]
    """Of each of the pixels."""


class DrawnGrid:
    """Fits `drawn.DrawnLayer`."""

    def __init__(self, grid: Grid, l0_size: Size):
        """Raises ValueError for a grid without a place."""
        if not np.isfinite((*grid.l0_first, grid.turned)).all():
            raise ValueError(f"{grid.title}: the first region, {grid.l0_first}, is none")
        self._exact, self._grid, self._l0_size = grid, upright(grid), l0_size

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """Without values below `least`; a grid has no classes, and if none is asked for its numbers are not written."""
        picture = Picture(tile_of(self._l0_size, z, x, y))
        return picture.png() if self.draw(picture, least, numbers=of is None) else empty(picture.tile.size)

    def draw(self, picture: Picture, least: float | None, numbers: bool = True) -> bool:
        """False if there is nothing to be seen."""
        values = self._grid.values
        if least is not None:
            values = np.where(values >= least, values, np.nan)
        if not values.size:
            return False
        columns, rows = (self._axis(picture.tile, axis) for axis in (0, 1))
        part = _highest(_highest(values, rows, 0), columns, 1)
        if not np.isfinite(part).any():
            return False
        shown = picture.inside[rows.pixels, columns.pixels].view(np.uint32)[..., 0]
        shown[:] = self._inks(part)[rows.run[:, None], columns.run]
        # Of a turned grid the squares are parts of regions.
        if numbers and not self._exact.turned:
            self._write(picture, values, rows, columns)
        return True

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """The value of the region there, if it has one."""
        grid = self._exact
        across, down = np.floor(grid.squares_at(np.array((l0_x, l0_y)))).tolist()
        rows, columns = grid.values.shape
        if not (0 <= down < rows and 0 <= across < columns):
            return []
        row, column = int(down), int(across)
        if not np.isfinite(grid.values[row, column]):
            return []
        value = round(float(grid.values[row, column]), 6)
        return [Found(grid.title, {grid.unit: value}, grid.l0_outline(row, column).tolist())]

    def _axis(self, tile: Tile, axis: int) -> _Axis:
        first, step = self._grid.l0_first[axis], self._grid.l0_first[axis + 2]
        borders = edges(first + step * np.arange(self._grid.values.shape[1 - axis] + 1), tile.z, self._l0_size[axis])
        # Even the smallest grid is seen.
        borders[-1] = max(borders[-1], borders[0] + 1)
        corner, length = tile.corner[axis], tile.size[axis]
        start = max(corner, int(borders[0]))
        end = max(start, min(corner + length, int(borders[-1])))
        shown = np.arange(start, end)
        covering = np.searchsorted(borders, shown, "right") - 1
        # Several columns in a px all have a border there.
        first, run = np.unique(np.minimum(covering, np.searchsorted(borders, shown, "left")), return_inverse=True)
        stop = len(borders) - 1 if end == borders[-1] else int(covering[-1]) + 1 if len(covering) else 0
        return _Axis(borders, slice(start - corner, end - corner), first, stop, run)

    def _inks(self, values: NDArray[np.float32]) -> NDArray[np.uint32]:
        """A pixel for each value."""
        pixels = np.zeros((*values.shape, 4), np.uint8)
        pixels[..., :3] = colours_of(values, self._grid.limits)[..., ::-1]
        pixels[..., 3] = 255
        pixels[~np.isfinite(values)] = 0
        return pixels.view(np.uint32)[..., 0]

    def _write(self, picture: Picture, values: NDArray[np.float32], rows: _Axis, columns: _Axis) -> None:
        """On whole squares, of which the tile may show a part."""
        x, y = picture.corner
        if min(np.diff(rows.borders).max() - NUMBER_PX, np.diff(columns.borders).max()) < 2 * PAD_PX:
            return
        down, across = (slice(int(axis.first[0]), axis.stop) for axis in (rows, columns))
        for row, column in np.argwhere(np.isfinite(values[down, across])) + np.array((down.start, across.start)):
            left, top = int(columns.borders[column]), int(rows.borders[row])
            text = shown_value(self._grid, row, column)
            if columns.borders[column + 1] - left < width_of(text, NUMBER_PX) + 2 * PAD_PX:
                continue
            red, green, blue = colours_of(values[row, column], self._grid.limits).tolist()
            place = left + PAD_PX - x, top - y
            write_rimmed(picture.whole[..., :3], place, text, NUMBER_PX, contrast((red, green, blue)))


def _highest(values: NDArray[np.float32], axis: _Axis, number: int) -> NDArray[np.float32]:
    """Of the columns in each run the highest value, so that none is lost where squares are smaller than px."""
    within = values[: axis.stop] if number == 0 else values[:, : axis.stop]
    reduced: NDArray[np.float32] = np.fmax.reduceat(within, axis.first, axis=number)
    return reduced
