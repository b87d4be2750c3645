"""A grid on a picture: each region tinted with the colour of its value, the value in its corner where there is room."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Grid
from histoserve.client.results.palette import colours_of
from histoserve.client.results.pictures.canvas import Canvas
from histoserve.client.results.pictures.lettering import contrast, width_of, write_rimmed
from histoserve.client.results.upright import upright

OPACITY = 0.6
"""The tissue shows through."""

NUMBER_PX = (15, 13, 11, 9)
"""Heights of letters that can be read, the first that fits."""

PAD_PX = 4


def draw_grid(canvas: Canvas, grid: Grid) -> None:
    """Squares, not smoothed: what was measured is one value a region."""
    _tint(canvas, upright(grid))
    _write_values(canvas, grid, colours_of(grid.values, grid.limits))


def _tint(canvas: Canvas, grid: Grid) -> None:
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
    """In letters of one height, as large as the widest allows; none where they would be too small to be read."""
    texts = {
        (row, column): shown_value(grid, row, column) for row, column in np.argwhere(np.isfinite(grid.values)).tolist()
    }
    across, down = room(canvas, grid)
    widest = max(texts.values(), key=len, default="")
    fitting = [px for px in NUMBER_PX if across >= width_of(widest, px) + px // 2 and down >= px + px // 2]
    if not fitting:
        return
    for (row, column), text in texts.items():
        left, top = corner_of(canvas, grid, row, column)
        red, green, blue = colours[row, column].tolist()
        write_rimmed(canvas.image, (left, top), text, fitting[0], contrast((red, green, blue)))


def shown_value(grid: Grid, row: int, column: int) -> str:
    """In hundredths of the scale's power of ten, or whole numbers: more would be no information, and takes room."""
    low, high = grid.limits
    decimals = max(0, 2 - math.floor(math.log10(high - low)))
    return value_text(round(float(grid.values[row, column]), decimals), grid.unit)


def room(canvas: Canvas, grid: Grid) -> tuple[float, float]:
    """Width and height in px of the upright rectangle in a region's middle; all of a region that is not turned."""
    width, height = (each * canvas.scale for each in grid.l0_first[2:])
    turn = abs(np.deg2rad(grid.turned))
    shrunk = abs(np.cos(turn)) + abs(np.sin(turn))
    return width / shrunk, height / shrunk


def corner_of(canvas: Canvas, grid: Grid, row: int, column: int) -> tuple[int, int]:
    """The upper left corner of that rectangle, a little inside."""
    middle = canvas.placed(grid.l0_outline(row, column).mean(axis=0, keepdims=True))[0]
    across, down = room(canvas, grid)
    return round(float(middle[0] - across / 2)) + PAD_PX, round(float(middle[1] - down / 2))
