"""`peaks.png`: the peak tiles of a slide side by side, large enough to judge the cells. One of them:

┌────────────────┐
│ 1  hsil        │ in the colour of the type
│ score … atten… │
│   ┌────────┐   │ the slide; the frame is the tile's border, beyond it what surrounds the tile;
│   │  ▫     │   │ the box is what a detector saw
│   └────────┘   │
│ ── 20 µm       │
└────────────────┘
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import UnreadableRegion
from histoserve.client.grid import Rectangle
from histoserve.client.slide import UNREAD, Slide

PICTURE_PX = 384
"""Side of a picture: a nucleus of 8 µm in a tile of 64 µm is 32 px wide, with its chromatin."""

SURROUNDINGS = 0.25
"""Of the tile's side, shown on each side of it: its border cuts cells."""

COLUMNS, GAP_PX, HEADER_PX, FRAME_PX = 5, 10, 52, 3
BACKGROUND, WHITE, BLACK = (40, 40, 40), (255, 255, 255), (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX

BAR_SHARE = 0.35
"""Of a picture's width, that the scale bar takes at most."""

Image = NDArray[Any]
"""BGR (h, w, 3), as OpenCV draws."""


@dataclass(frozen=True)
class Card:
    """One tile of the sheet."""

    l0_region: NDArray[np.float32]
    """x, y, width, height."""
    colour: tuple[int, int, int]
    """RGB."""
    title: str
    line: str
    l0_boxes: NDArray[np.float32]
    """(boxes, 4): what a detector saw in the tile."""


def write_contact_sheet(path: Path, slide: Slide, mpp: float, cards: Sequence[Card], nothing: str) -> None:
    """As PNG, by rows in the order of `cards`; without any, the text `nothing`."""
    tiles = [_picture(slide, mpp, card) for card in cards]
    height = HEADER_PX + PICTURE_PX + GAP_PX
    width = PICTURE_PX + GAP_PX
    columns = min(COLUMNS, max(2, len(tiles)))
    sheet = np.full((max(1, -(-len(tiles) // columns)) * height + GAP_PX, columns * width + GAP_PX, 3), 0, np.uint8)
    sheet[:] = BACKGROUND
    if not tiles:
        sheet = sheet[:HEADER_PX]
        cv2.putText(sheet, nothing, (GAP_PX, 32), FONT, 0.6, WHITE, 1, cv2.LINE_AA)
    for i, tile in enumerate(tiles):
        top, left = GAP_PX + i // columns * height, GAP_PX + i % columns * width
        sheet[top : top + tile.shape[0], left : left + PICTURE_PX] = tile
    _, data = cv2.imencode(".png", sheet)
    path.write_bytes(data.tobytes())


def _picture(slide: Slide, mpp: float, card: Card) -> Image:
    """Header and picture of one tile."""
    shown = _shown(card.l0_region)
    image = _read(slide, shown)
    scale = PICTURE_PX / shown[2]
    for box in card.l0_boxes:
        x, y, width, height = np.round((box - (*shown[:2], 0, 0)) * scale).astype(int).tolist()
        cv2.rectangle(image, (x, y), (x + width, y + height), card.colour[::-1], 1)
    _frame(image, (card.l0_region - (*shown[:2], 0, 0)) * scale, card.colour)
    _scale_bar(image, scale / mpp)
    header = np.empty((HEADER_PX, PICTURE_PX, 3), np.uint8)
    header[:] = card.colour[::-1]
    # Of black and white, the one that can be read on the colour.
    ink = BLACK if np.dot(card.colour, (0.299, 0.587, 0.114)) > 110 else WHITE
    cv2.putText(header, card.title, (8, 22), FONT, 0.7, ink, 2, cv2.LINE_AA)
    cv2.putText(header, card.line, (8, 43), FONT, 0.5, ink, 1, cv2.LINE_AA)
    return np.vstack([header, image])


def _shown(l0_region: NDArray[np.float32]) -> Rectangle:
    """The tile and its surroundings, square."""
    x, y, width, height = (float(each) for each in l0_region)
    side = round(max(width, height) * (1 + 2 * SURROUNDINGS))
    return round(x + width / 2 - side / 2), round(y + height / 2 - side / 2), side, side


def _read(slide: Slide, shown: Rectangle) -> Image:
    """From the coarsest level that is still finer than the picture; grey if it cannot be read any more."""
    try:
        pixels = slide.read(shown, slide.level_for(shown[2] / PICTURE_PX))
    except UnreadableRegion:
        return np.full((PICTURE_PX, PICTURE_PX, 3), UNREAD, np.uint8)
    how = cv2.INTER_AREA if pixels.shape[0] > PICTURE_PX else cv2.INTER_CUBIC
    return cv2.cvtColor(cv2.resize(pixels, (PICTURE_PX, PICTURE_PX), interpolation=how), cv2.COLOR_RGB2BGR)


def _frame(image: Image, region: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """Around the region (x, y, width, height in px of the picture), outside it: nothing of the tile is covered."""
    x, y, width, height = np.round(region).astype(int).tolist()
    out = FRAME_PX // 2 + 1
    corners = (x - out, y - out), (x + width - 1 + out, y + height - 1 + out)
    cv2.rectangle(image, *corners, BLACK, FRAME_PX + 2)
    cv2.rectangle(image, *corners, colour[::-1], FRAME_PX)


def _scale_bar(image: Image, px_per_um: float) -> None:
    """Lower left, below the tile's frame: 1, 2 or 5 times a power of ten µm."""
    most = BAR_SHARE * PICTURE_PX / px_per_um
    step = 10.0 ** np.floor(np.log10(most))
    um = max(factor * step for factor in (1, 2, 5) if factor * step <= most)
    y, end = PICTURE_PX - 14, 12 + round(um * px_per_um)
    text = f"{um:g} "
    (number, _), _ = cv2.getTextSize(text, FONT, 0.55, 1)
    for thickness, shade in ((6, WHITE), (3, BLACK)):
        cv2.line(image, (12, y), (end, y), shade, thickness)
    for thickness, shade in ((4, WHITE), (1, BLACK)):
        cv2.putText(image, f"{text}um", (end + 8, y + 6), FONT, 0.55, shade, thickness, cv2.LINE_AA)
        # OpenCV's letters end with ASCII; a stroke makes the u a µ.
        cv2.line(image, (end + 10 + number, y + 6), (end + 10 + number, y + 11), shade, thickness, cv2.LINE_AA)
