"""Contact sheets of a training set, for those without a browser: `sheets/0001-1.png`, the first of pair 1.

┌──────────────────────────┐
│▌ 7   25 %  10 of 40      │ the tile's number, as in labels.csv, reading and cells; bar: accepted, dropped, undecided
│▌ accept   3.2 µm off     │
│ ┌──────────┐┌──────────┐ │
│ │  H&E     ││  marker  │ │
│ └──────────┘└──────────┘ │
└──────────────────────────┘
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from histoserve.client.errors import LabelsError, OutputError
from histoserve.client.labels.label import Decision, Label, Pair
from histoserve.client.results.layers import Colour
from histoserve.client.results.pictures.canvas import Image, stacked, strip, write_png
from histoserve.client.results.pictures.legend import GREY, GROUND, PAD_PX
from histoserve.client.results.pictures.lettering import WHITE, shortened, write
from histoserve.client.slide import printable

SHEETS = "sheets"

PICTURE_PX, GAP_PX, BAR_PX = 320, 12, 10
COLUMNS, ROWS = 3, 4
"""Pairs on a sheet."""

HEADER_PX, TITLE_PX, NUMBER_PX, WORDS_PX = 58, 40, 22, 15

COLOURS: dict[Decision, Colour] = {
    Decision.ACCEPT: (40, 170, 90),
    Decision.DROP: (210, 70, 60),
    Decision.UNDECIDED: (150, 150, 150),
}


def write_sheets(folder: Path, labels: Sequence[Label], pair: Pair) -> list[Path]:
    """Of the pair's tiles, in place of those before, as decided so far. Raises LabelsError, OutputError."""
    own = [label for label in labels if label.pair == pair]
    place, per = folder / SHEETS, COLUMNS * ROWS
    groups = [own[first : first + per] for first in range(0, len(own), per)]
    paths = []
    try:
        place.mkdir(exist_ok=True)
        for old in place.glob(f"{pair.number:04}-*.png"):
            old.unlink()
        for number, group in enumerate(groups, 1):
            paths.append(place / f"{pair.number:04}-{number}.png")
            write_png(paths[-1], _sheet(pair, group, f"{number} of {len(groups)}"))
    except OSError as error:
        raise OutputError(f"{printable(place)} cannot be written to: {error.strerror}. Make room.") from error
    return paths


def _sheet(pair: Pair, labels: Sequence[Label], which: str) -> Image:
    width = COLUMNS * (2 * PICTURE_PX + GAP_PX) + GAP_PX
    title = strip(width, TITLE_PX, GROUND)
    said = f"Pair {pair.number}: {pair.he.name}, {pair.marker}: {pair.ihc.name}   ({which})"
    write(title, (PAD_PX, 6), shortened(said, NUMBER_PX, width - 2 * PAD_PX), NUMBER_PX, WHITE)
    rows = [_row(labels[first : first + COLUMNS], width) for first in range(0, len(labels), COLUMNS)]
    return stacked([title, *rows], GROUND)


def _row(labels: Sequence[Label], width: int) -> Image:
    row = strip(width, HEADER_PX + PICTURE_PX + GAP_PX, GROUND)
    for i, label in enumerate(labels):
        left = GAP_PX + i * (2 * PICTURE_PX + GAP_PX)
        card = row[:, left : left + 2 * PICTURE_PX]
        card[:HEADER_PX] = _header(label)
        for place, path in enumerate((label.he_picture, label.ihc_picture)):
            card[HEADER_PX : HEADER_PX + PICTURE_PX, place * PICTURE_PX : (place + 1) * PICTURE_PX] = _small(path)
    return row


def _header(label: Label) -> Image:
    header, tile = strip(2 * PICTURE_PX, HEADER_PX, (70, 70, 70)), label.tile
    header[:, :BAR_PX] = COLOURS[label.decision]
    cells = tile.positive + tile.negative
    reading = "no reading" if tile.reading is None else f"{tile.reading:.0%}   {tile.positive} of {cells} cells"
    left, room = BAR_PX + PAD_PX, 2 * PICTURE_PX - BAR_PX - 2 * PAD_PX
    write(header, (left, 2), shortened(f"{tile.number}   {reading}", NUMBER_PX, room), NUMBER_PX, WHITE)
    off = "" if tile.residual_um is None else f"{tile.residual_um:.1f} µm off"
    words = "   ".join(each for each in (label.decision.value or "undecided", off, tile.reason) if each)
    write(header, (left, 32), shortened(words, WORDS_PX, room), WORDS_PX, GREY)
    return header


def _small(path: Path) -> Image:
    try:
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        picture = None
    if picture is None:
        raise LabelsError(f"{printable(path)} is damaged; copy the folder again, or label the pair again.")
    small = cv2.resize(picture, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.uint8)
