"""What stands above and below a picture: the slide and its result; what the colours mean, and how long a µm is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from histoserve.client.results.layers import Arrows, Cards, Colour, Grid, Layer, Shapes
from histoserve.client.results.palette import colours_of
from histoserve.client.results.pictures.canvas import Image, stacked, strip
from histoserve.client.results.pictures.grid import value_text
from histoserve.client.results.pictures.lettering import WHITE, shortened, width_of, wrapped, write
from histoserve.client.results.pictures.scale_bar import bar, draw_bar

GROUND: Colour = (40, 40, 40)
GREY: Colour = (200, 200, 200)
GLASS: Colour = (240, 240, 240)
"""Behind the lines of the legend, as behind those of the picture."""

NARROWEST_PX = 720
"""Of a picture with its text: a slide may be a few pixels wide."""

PAD_PX = 12
RESULT_PX, TEXT_PX = 30, 18
LINE_PX, SWATCH_PX, RAMP_PX = 32, 16, 120

BAR_SHARE = 0.2
"""Of a picture's width, that the scale bar takes at most."""


@dataclass(frozen=True)
class Titles:
    """What a picture is of."""

    slide: str
    pipeline: str
    words: str
    """The slide's result."""


@dataclass(frozen=True)
class Entry:
    """Of the legend."""

    text: str
    symbol: Image
    """(SWATCH_PX, any width, 3)."""

    @property
    def width(self) -> int:
        """With the room around it."""
        return self.symbol.shape[1] + 8 + width_of(self.text, TEXT_PX) + 2 * PAD_PX


def head(titles: Titles, width: int, more: Sequence[str] = ()) -> Image:
    """The slide's result in large letters, its name, and sentences below them."""
    room = width - 2 * PAD_PX
    result = wrapped(f"Slide: {titles.words}", RESULT_PX, room)
    pipeline = f"{titles.pipeline}: "
    name = shortened(titles.slide, TEXT_PX, room - width_of(pipeline, TEXT_PX))
    lines = [line for text in more for line in wrapped(text, TEXT_PX, room)]
    return stacked(
        [
            strip(width, PAD_PX // 2, GROUND),
            *(_line(line, RESULT_PX, width, WHITE) for line in result),
            *(_line(line, TEXT_PX, width, GREY) for line in (pipeline + name, *lines)),
            strip(width, PAD_PX, GROUND),
        ],
        GROUND,
    )


def foot(entries: Sequence[Entry], px_per_um: float, shown_px: int, width: int) -> Image:
    """The scale bar, then the legend on as many lines as it takes; `shown_px`: the width of what has that scale.

    No bar where the scale is NaN.
    """
    bars = [] if math.isnan(px_per_um) else [bar(px_per_um, max(8, BAR_SHARE * shown_px))]
    x, y = PAD_PX + sum(length + 8 + width_of(text, TEXT_PX) + 3 * PAD_PX for length, text in bars), PAD_PX
    places = []
    for entry in entries:
        if x + entry.width > width and x > PAD_PX:
            x, y = PAD_PX, y + LINE_PX
        places.append((x, y))
        x += entry.width
    image = strip(width, y + LINE_PX + PAD_PX // 2, GROUND)
    for length, text in bars:
        draw_bar(image, (PAD_PX, PAD_PX + SWATCH_PX // 2), length, text)
    for entry, (x, y) in zip(entries, places, strict=True):
        symbol = entry.symbol[:, : max(0, width - x)]
        image[y : y + SWATCH_PX, x : x + symbol.shape[1]] = symbol
        write(image, (x + symbol.shape[1] + 8, y - 5), entry.text, TEXT_PX)
    return image


def entries_of(layers: Sequence[Layer]) -> list[Entry]:
    """Each colour once: of shapes and the cards that point at them, what the cards call it."""
    entries: dict[object, Entry] = {}
    for layer in layers:
        if isinstance(layer, Shapes | Cards):
            for number, each in enumerate(layer.classes):
                swatch = strip(SWATCH_PX, SWATCH_PX, each.colour)
                entries[number, each.colour] = Entry(f"{each.name} ({each.count:,})", swatch)
        elif isinstance(layer, Arrows):
            entries[layer.title] = Entry(layer.title, arrow_symbol(layer.colour))
    grids = [layer for layer in layers if isinstance(layer, Grid)]
    for span in dict.fromkeys(_span(grid) for grid in grids):
        titles = ", ".join(grid.title for grid in grids if _span(grid) == span)
        entries[titles] = Entry(f"{titles}: {span}", _ramp())
    return list(entries.values())


def line_symbol(colour: Colour) -> Image:
    """For what is drawn as a line."""
    image = strip(SWATCH_PX * 2, SWATCH_PX, GLASS)
    cv2.line(image, (0, SWATCH_PX // 2), (SWATCH_PX * 2, SWATCH_PX // 2), colour, 2)
    return image


def arrow_symbol(colour: Colour) -> Image:
    """For what is drawn as an arrow."""
    image = strip(SWATCH_PX * 2, SWATCH_PX, GLASS)
    cv2.arrowedLine(image, (2, SWATCH_PX // 2), (SWATCH_PX * 2 - 4, SWATCH_PX // 2), colour, 2, cv2.LINE_AA, 0, 0.3)
    return image


def _span(grid: Grid) -> str:
    """What the ends of its colour scale stand for."""
    low, high = (value_text(each, grid.unit) for each in grid.limits)
    values = grid.values[np.isfinite(grid.values)]
    below = "≤ " if (values < grid.limits[0]).any() else ""
    above = "≥ " if (values > grid.limits[1]).any() else ""
    unit = "" if grid.unit == "%" else f" {grid.unit}".rstrip()
    return f"{below}{low} to {above}{high}{unit}"


def _ramp() -> Image:
    return colours_of(np.linspace(0, 1, RAMP_PX, dtype=np.float32)[None].repeat(SWATCH_PX, 0), (0, 1))


def _line(text: str, letters_px: int, width: int, ink: Colour) -> Image:
    image = strip(width, round(letters_px * 1.35), GROUND)
    write(image, (PAD_PX, 0), text, letters_px, ink)
    return image
