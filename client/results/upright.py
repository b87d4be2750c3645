"""A turned grid as one that is not: what shows squares of pixels then shows it too."""

from dataclasses import replace

import numpy as np

from histoserve.client.results.layers import Grid

PARTS = 16
"""Of a region's side: what its border is off by at most."""

MOST_SQUARES = 2**24


def upright(grid: Grid) -> Grid:
    """The same where it is not turned; else each square has the value of the region that holds its middle."""
    if grid.turned % 360 == 0 or not grid.values.size:
        return grid
    rows, columns = grid.values.shape
    corners = np.concatenate([grid.l0_outline(row, column) for row in (0, rows - 1) for column in (0, columns - 1)])
    first, last = corners.min(axis=0).astype(np.float64), corners.max(axis=0).astype(np.float64)
    side = max(min(grid.l0_first[2:]) / PARTS, float(np.sqrt((last - first).prod() / MOST_SQUARES)))
    across, down = np.ceil((last - first) / side - 1e-3).astype(int).tolist()
    middles = np.stack(np.meshgrid(np.arange(across) + 0.5, np.arange(down) + 0.5), axis=-1) * side + first
    places = np.floor(grid.squares_at(middles)).astype(int)
    column, row = places[..., 0], places[..., 1]
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    values = grid.values[row.clip(0, rows - 1), column.clip(0, columns - 1)]
    shown = np.where(inside, values, np.float32(np.nan))
    return replace(grid, values=shown, l0_first=(float(first[0]), float(first[1]), side, side), turned=0.0)
