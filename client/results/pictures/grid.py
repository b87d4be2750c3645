"""A grid on a picture: each region tinted with the colour of its value, the value in its corner where there is room."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Grid
from histoserve.client.results.palette import colours_of
from histoserve.client.results.pictures.canvas import Canvas
from histoserve.client.results.pictures.lettering import contrast, width_of, write_rimmed

OPACITY = 0.6
"""The tissue shows through."""

NUMBER_PX = 15


def draw_grid(canvas: Canvas, grid: Grid) -> None:
    """Squares, not smoothed: what was measured is one value a region."""
    x, y, width, height = grid.l0_first
    columns = np.floor((canvas.l0_centres(0) - x) / width).astype(int)
    rows = np.floor((canvas.l0_centres(1) - y) / height).astype(int)
    across, down = _within(columns, grid.values.shape[1]), _within(rows, grid.values.shape[0])
    shown = rows[down][:, None], columns[across]
    part, colours = canvas.image[down, across], colours_of(grid.values, grid.limits)
    if not part.size:
        return
    tinted = cv2.addWeighted(part, 1 - OPACITY, colours[shown], OPACITY, 0)
    np.copyto(part, tinted.astype(np.uint8), where=np.isfinite(grid.values)[shown][..., None])
    _write_values(canvas, grid, colours)


def value_text(value: float, unit: str) -> str:
    """Without the unit, but for per cent."""
    if unit == "%":
        return f"{100 * value:.0f} %"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _within(places: NDArray[np.intp], count: int) -> slice:
    """Of the picture's rows or columns, those that show the grid."""
    first, last = np.searchsorted(places, (0, count))
    return slice(int(first), int(last))


def _write_values(canvas: Canvas, grid: Grid, colours: NDArray[np.uint8]) -> None:
    for row, column in np.argwhere(np.isfinite(grid.values)):
        left, top, right, bottom = canvas.frame(np.array(grid.l0_region(row, column)))
        text = value_text(float(grid.values[row, column]), grid.unit)
        if right - left < width_of(text, NUMBER_PX) + 8 or bottom - top < NUMBER_PX + 8:
            continue
        red, green, blue = colours[row, column].tolist()
        write_rimmed(canvas.image, (left + 4, top), text, NUMBER_PX, contrast((red, green, blue)))
