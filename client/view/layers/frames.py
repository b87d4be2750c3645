"""Cards as frames with their numbers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Card, Cards, Colour, outline_of
from histoserve.client.results.pictures.lettering import contrast, width_of, write
from histoserve.client.results.pictures.marks import LEAST_PX, LINE_PX, NUMBER_PX, PAD_PX
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.picture import Picture, empty
from histoserve.client.view.layers.tile import Size, page_size, tile_of

Frame = tuple[int, int, int, int]
"""Left, top, right, bottom in px of the page, the last two outside."""

RING_PX = LINE_PX + 2
"""A line with its rim."""


class _Framed(NamedTuple):
    """What is drawn of a region."""

    cards: Sequence[Card]
    """Those of the region; a frame each, one around the other, and a number each, side by side."""
    frame: Frame
    plates: Frame
    """Below the numbers."""
    lengths: Sequence[int]
    """Of the plates."""


class DrawnCards:
    """Fits `drawn.DrawnLayer`."""

    def __init__(self, cards: Cards, l0_size: Size):
        """Raises ValueError for a card without a place or of no class."""
        for card in cards.each:
            whole = card.l0_region.shape == (4,) and bool(np.isfinite(card.l0_region).all())
            if not whole or not 0 <= card.of < len(cards.classes):
                raise ValueError(f"{cards.name}: card {card.number} has no place or is of no class")
        self._cards, self._l0_size = cards, l0_size
        self._colours = [each.colour for each in cards.classes]
        self._framed = lru_cache(16)(self._framed_at)

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """`least` says nothing of cards; the first ones are on top."""
        picture = Picture(tile_of(self._l0_size, z, x, y))
        (left, top), (width, height) = picture.tile.corner, picture.tile.size
        framed, boxes = self._framed(z, of)
        near = (boxes[:, :2] < (left + width, top + height)) & (boxes[:, 2:] > (left, top))
        shown = [framed[number] for number in np.flatnonzero(near.all(axis=1)).tolist()]
        for each in shown:
            for ring, card in enumerate(each.cards):
                _draw_ring(picture, each.frame, ring * RING_PX, self._colours[card.of])
        for each in shown:
            self._write(picture, each)
        return picture.png() if shown else empty(picture.tile.size)

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """Cards whose regions hold the place."""
        regions = [(card, card.l0_region.tolist()) for card in self._cards.each]
        return [
            Found(card.caption, {"Number": card.number, **card.numbers}, outline_of(card.l0_region).tolist())
            for card, (x, y, width, height) in regions
            if x <= l0_x < x + width and y <= l0_y < y + height
        ]

    def _framed_at(self, z: int, of: frozenset[int] | None) -> tuple[list[_Framed], NDArray[np.int64]]:
        """Of all regions, the last ones first, and the boxes (n, 4) around what is drawn of each."""
        of_region: dict[Frame, list[Card]] = {}
        for card in self._cards.each:
            if of is None or card.of in of:
                of_region.setdefault(_frame(card, z), []).append(card)
        framed = [self._with_plates(cards, frame, z) for frame, cards in reversed(of_region.items())]
        boxes = [_around(_grown(each.frame, RING_PX * len(each.cards)), each.plates) for each in framed]
        return framed, np.array(boxes, np.int64).reshape(-1, 4)

    def _with_plates(self, cards: Sequence[Card], frame: Frame, z: int) -> _Framed:
        """Above the frame, so that nothing in it is covered; on its upper edge where there is no room."""
        lengths = [width_of(str(card.number), NUMBER_PX) + 2 * PAD_PX for card in cards]
        left, top, _, _ = _grown(frame, RING_PX * len(cards))
        x = max(0, min(left, page_size(self._l0_size, z)[0] - sum(lengths)))
        y = max(0, top - NUMBER_PX - PAD_PX)
        return _Framed(cards, frame, (x, y, x + sum(lengths), y + NUMBER_PX + PAD_PX), lengths)

    def _write(self, picture: Picture, framed: _Framed) -> None:
        x, top, _, bottom = framed.plates
        corner = picture.corner
        for card, length in zip(framed.cards, framed.lengths, strict=True):
            colour = self._colours[card.of]
            picture.fill(x, top, x + length, bottom, contrast(colour))
            picture.fill(x + 1, top + 1, x + length - 1, bottom - 1, colour)
            place = x + PAD_PX - corner[0], top - 3 - corner[1]
            write(picture.whole[..., :3], place, str(card.number), NUMBER_PX, contrast(colour))
            x += length


def _frame(card: Card, z: int) -> Frame:
    """At least LEAST_PX wide and high, about its middle."""
    x, y, width, height = (float(side) * 2.0**-z for side in card.l0_region)
    across, down = max(width, LEAST_PX) / 2, max(height, LEAST_PX) / 2
    middle = x + width / 2, y + height / 2
    sides = middle[0] - across, middle[1] - down, middle[0] + across, middle[1] + down
    left, top, right, bottom = (round(side) for side in sides)
    return left, top, right, bottom


def _grown(frame: Frame, px: int) -> Frame:
    left, top, right, bottom = frame
    return left - px, top - px, right + px, bottom + px


def _around(one: Frame, other: Frame) -> Frame:
    """Both of them."""
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _draw_ring(picture: Picture, frame: Frame, distance: int, colour: Colour) -> None:
    """Around the frame, so that nothing in it is covered."""
    for px, width, ink in ((RING_PX, RING_PX, contrast(colour)), (RING_PX - 1, LINE_PX, colour)):
        left, top, right, bottom = _grown(frame, distance + px)
        picture.fill(left, top, right, top + width, ink)
        picture.fill(left, bottom - width, right, bottom, ink)
        picture.fill(left, top, left + width, bottom, ink)
        picture.fill(right - width, top, right, bottom, ink)
