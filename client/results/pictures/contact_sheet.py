"""Cards side by side, `<name of the cards>.png`, large enough to judge what is in them. One of them:

┌────────────────┐
│▌1  hsil        │ a bar in the colour of the class
│▌score … atten… │
│   ┌────────┐   │ the slide; the frame is the region's border, beyond it what surrounds the region;
│   │  ▫     │   │ the box is what was seen in it
│   └────────┘   │
│ ── 20 µm       │
└────────────────┘
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import Rectangle
from histoserve.client.results.layers import Card, Cards, Colour
from histoserve.client.results.pictures.canvas import FRACTION_BITS, Canvas, Image, fixed, stacked, strip, write_png
from histoserve.client.results.pictures.legend import GREY, GROUND, PAD_PX, Titles, head
from histoserve.client.results.pictures.lettering import WHITE, contrast, shortened, write
from histoserve.client.results.pictures.scale_bar import bar, draw_bar

PICTURE_PX = 384
"""Side of a picture: a nucleus of 8 µm in a tile of 64 µm is 32 px wide, with its chromatin."""

SURROUNDINGS = 0.25
"""Of the region's side, shown on each side of it: its border cuts cells."""

COLUMNS, GAP_PX = 5, 10
LEAST_COLUMNS = 3
"""Of empty places too: the words above need room."""

HEADER_PX, BAR_PX, CAPTION_PX, NUMBERS_PX = 58, 10, 22, 16
CARD_GROUND: Colour = (70, 70, 70)

FRAME_PX, LINE_PX = 3, 2
"""Of the region's frame and of the lines in it, without their rims."""

BAR_SHARE = 0.35
"""Of a picture's width, that the scale bar takes at most."""

Read = Callable[[Rectangle, int], Image]
"""(level-0 region, px) → a square picture of it with that side."""


def write_contact_sheet(path: Path, read: Read, mpp: float, titles: Titles, cards: Cards) -> None:
    """As PNG, by rows in the order of the cards; `mpp`: µm per level-0 px, NaN for no scale bar."""
    pictures = [_card(read, mpp, card, cards.classes[card.of].colour) for card in cards.each]
    columns = max(LEAST_COLUMNS, min(COLUMNS, len(pictures)))
    width = columns * (PICTURE_PX + GAP_PX) + GAP_PX
    rows = [_row(pictures[first : first + columns], width) for first in range(0, len(pictures), columns)]
    write_png(path, stacked([head(titles, width, [cards.said]), *rows], GROUND))


def _row(pictures: Sequence[Image], width: int) -> Image:
    row = strip(width, pictures[0].shape[0] + GAP_PX, GROUND)
    for i, picture in enumerate(pictures):
        left = GAP_PX + i * (PICTURE_PX + GAP_PX)
        row[: picture.shape[0], left : left + PICTURE_PX] = picture
    return row


def _card(read: Read, mpp: float, card: Card, colour: Colour) -> Image:
    """Header and picture of one card."""
    shown = _shown(card.l0_region)
    scale = PICTURE_PX / shown[2]
    canvas = Canvas(read(shown, PICTURE_PX).copy(), shown[:2], scale)
    _outline(canvas, [ring for shape in card.inside for ring in shape.l0_rings], colour)
    _frame(canvas, card.l0_region, colour)
    if not math.isnan(mpp):
        length, text = bar(scale / mpp, BAR_SHARE * PICTURE_PX)
        draw_bar(canvas.image, (12, PICTURE_PX - 14), length, text, (0, 0, 0))
    return stacked([_header(card, colour), canvas.image], GROUND)


def _header(card: Card, colour: Colour) -> Image:
    header = strip(PICTURE_PX, HEADER_PX, CARD_GROUND)
    header[:, :BAR_PX] = colour
    left, room = BAR_PX + PAD_PX, PICTURE_PX - BAR_PX - 2 * PAD_PX
    write(header, (left, 0), shortened(f"{card.number}   {card.caption}", CAPTION_PX, room), CAPTION_PX, WHITE)
    numbers = "   ".join(f"{name.lower().replace('^2', '²')} {value:.3f}" for name, value in card.numbers.items())
    write(header, (left, 31), shortened(numbers, NUMBERS_PX, room), NUMBERS_PX, GREY)
    return header


def _shown(l0_region: NDArray[np.float32]) -> Rectangle:
    """The region and its surroundings, square."""
    x, y, width, height = (float(each) for each in l0_region)
    side = max(1, round(max(width, height) * (1 + 2 * SURROUNDINGS)))
    return round(x + width / 2 - side / 2), round(y + height / 2 - side / 2), side, side


def _outline(canvas: Canvas, l0_outlines: Sequence[NDArray[np.float32]], colour: Colour) -> None:
    points = [fixed(canvas.placed(each)) for each in l0_outlines]
    for width, ink in ((LINE_PX + 2, contrast(colour)), (LINE_PX, colour)):
        cv2.polylines(canvas.image, points, True, ink, width, cv2.LINE_AA, FRACTION_BITS)


def _frame(canvas: Canvas, l0_region: NDArray[np.float32], colour: Colour) -> None:
    """Around the region, outside it: nothing of it is covered."""
    left, top, right, bottom = canvas.frame(l0_region)
    out = FRAME_PX // 2 + 1
    corners = (left - out, top - out), (right + out, bottom + out)
    cv2.rectangle(canvas.image, *corners, contrast(colour), FRAME_PX + 2)
    cv2.rectangle(canvas.image, *corners, colour, FRAME_PX)
