"""`overview.png`: the whole slide with all layers drawn on it; of several grids, a picture each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import Rectangle
from histoserve.client.results.layers import Arrows, Cards, Colour, Grid, Layer, Shapes
from histoserve.client.results.pictures.arrows import draw_arrows
from histoserve.client.results.pictures.canvas import Canvas, Image, canvas_of, stacked, strip, write_png
from histoserve.client.results.pictures.grid import draw_grid
from histoserve.client.results.pictures.legend import (
    GROUND,
    NARROWEST_PX,
    PAD_PX,
    SWATCH_PX,
    TEXT_PX,
    Entry,
    Titles,
    entries_of,
    foot,
    head,
    line_symbol,
)
from histoserve.client.results.pictures.lettering import shortened, write
from histoserve.client.results.pictures.marks import draw_cards
from histoserve.client.results.pictures.shapes import draw_shapes

LONGEST_PX = 2048
"""Longer side of the slide in the picture."""

COLUMNS, GAP_PX = 2, 16
"""Of the pictures of several grids, and between them."""

BAR_PX = 2 * TEXT_PX
"""Of the title above each of several grids."""

TISSUE_GREY, TISSUE_OPACITY = 90, 0.5
"""Of the tissue's border, faint, so that the result stands out."""

NOT_SEEN: Colour = (90, 90, 90)
HATCH_PX = 8
"""From line to line over what was not analysed."""

DRAWN: dict[type, Callable[[Canvas, Any], None]] = {
    Grid: draw_grid,
    Shapes: draw_shapes,
    Arrows: draw_arrows,
    Cards: draw_cards,
}
"""In this order, what covers much below what covers little."""


@dataclass(frozen=True)
class Seen:
    """The slide, and what of it was looked at."""

    thumbnail: Image
    """The whole slide."""
    l0_width: int
    mpp: float
    """µm per level-0 px, NaN where that is not known."""
    tissue: NDArray[np.bool_] | None
    """(rows, columns) of squares; None where it was not sought."""
    l0_square: int
    """Their side."""
    seen: Sequence[Rectangle]
    """Tiles that were analysed, in level-0 px."""
    not_seen: Sequence[Rectangle]
    """Tiles that could not be analysed, in level-0 px."""


def write_overview(path: Path, seen: Seen, titles: Titles, layers: Sequence[Layer]) -> Rectangle:
    """As PNG; returns the part of the picture that is the slide (of several: the first one) in its px."""
    grids = [layer for layer in layers if isinstance(layer, Grid)]
    rest: list[Layer] = [layer for layer in layers if not isinstance(layer, Grid)]
    longest = LONGEST_PX if len(grids) < 2 else (LONGEST_PX - GAP_PX) // COLUMNS
    sets: list[list[Layer]] = [[grid, *(_belonging(each, grid.of) for each in rest)] for grid in grids] or [rest]
    canvases = [canvas_of(seen.thumbnail, seen.l0_width, longest) for _ in sets]
    for canvas, drawn in zip(canvases, sets, strict=True):
        _draw(canvas, seen, drawn)
    picture = _together([canvas.image for canvas in canvases], [f"{grid.title}   {grid.said}" for grid in grids])
    width = max(picture.shape[1], NARROWEST_PX)
    entries = [*entries_of(layers), *_entries(seen)]
    below = foot(entries, canvases[0].scale / seen.mpp, canvases[0].size[1], width)
    said = [layer.said for layer in layers if isinstance(layer, Cards)]
    above = head(titles, width, said)
    write_png(path, stacked([above, picture, below], GROUND))
    height, width = canvases[0].size
    return 0, above.shape[0] + (BAR_PX if len(grids) > 1 else 0), width, height


def _belonging(layer: Layer, of: int | None) -> Layer:
    """The layer with what is of this class alone; all of it for None."""
    if of is not None and isinstance(layer, Shapes):
        every = layer.each
        return replace(layer, each=lambda: (shape for shape in every() if shape.of == of))
    if of is not None and isinstance(layer, Cards):
        return replace(layer, each=[card for card in layer.each if card.of == of])
    return layer


def _draw(canvas: Canvas, seen: Seen, layers: Sequence[Layer]) -> None:
    _tissue(canvas, seen)
    for kind, draw in DRAWN.items():
        for layer in layers:
            if isinstance(layer, kind):
                draw(canvas, layer)
    for region in seen.not_seen:
        _hatch(canvas, region)


def _tissue(canvas: Canvas, seen: Seen) -> None:
    """The border of what was taken for tissue."""
    if seen.tissue is None:
        return
    shape = seen.tissue.shape
    columns, rows = (
        np.minimum((canvas.l0_centres(axis) / seen.l0_square).astype(int), shape[1 - axis] - 1) for axis in (0, 1)
    )
    inside = seen.tissue[rows[:, None], columns].astype(np.uint8)
    border = (inside > 0) & (cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0)
    faint = canvas.image[border] * (1 - TISSUE_OPACITY) + TISSUE_GREY * TISSUE_OPACITY
    canvas.image[border] = faint.astype(np.uint8)


def _hatch(canvas: Canvas, l0_region: Rectangle) -> None:
    """On top of everything: what was not looked at must not look as if nothing was found."""
    left, top, right, bottom = canvas.frame(np.array(l0_region), HATCH_PX)
    left, top = max(0, left), max(0, top)
    part = canvas.image[top : bottom + 1, left : right + 1]
    rows, columns = np.indices(part.shape[:2])
    part[(rows + top + columns + left) % HATCH_PX < 2] = NOT_SEEN


def _entries(seen: Seen) -> list[Entry]:
    entries = [] if seen.tissue is None else [Entry("border of the tissue", line_symbol((150, 150, 150)))]
    if seen.not_seen:
        swatch = strip(SWATCH_PX, SWATCH_PX, (255, 255, 255))
        rows, columns = np.indices(swatch.shape[:2])
        swatch[(rows + columns) % HATCH_PX < 2] = NOT_SEEN
        entries.append(Entry(f"not analysed ({len(seen.not_seen):,})", swatch))
    return entries


def _together(pictures: Sequence[Image], titles: Sequence[str]) -> Image:
    """Side by side, each below its title; a single one as it is."""
    if len(pictures) == 1:
        return pictures[0]
    titled = [_titled(picture, title) for picture, title in zip(pictures, titles, strict=True)]
    gap = strip(GAP_PX, titled[0].shape[0], GROUND)
    rows = []
    for first in range(0, len(titled), COLUMNS):
        row = [part for picture in titled[first : first + COLUMNS] for part in (picture, gap)]
        rows.append(np.hstack(row[:-1]).astype(np.uint8))
    return stacked(rows, GROUND)


def _titled(picture: Image, title: str) -> Image:
    bar = strip(picture.shape[1], BAR_PX, GROUND)
    write(bar, (PAD_PX, 4), shortened(title, TEXT_PX, picture.shape[1] - PAD_PX), TEXT_PX)
    return np.vstack([bar, picture]).astype(np.uint8)
