"""Cards as frames with their numbers."""

from collections.abc import Sequence

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


class DrawnCards:
    """Fits `drawn.DrawnLayer`."""

    def __init__(self, cards: Cards, l0_size: Size):
        self._cards, self._l0_size = cards, l0_size
        self._colours = [each.colour for each in cards.classes]

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """`least` says nothing of cards."""
        picture = Picture(tile_of(self._l0_size, z, x, y))
        self.draw(picture, of)
        return picture.png() if picture.inside.any() else empty(picture.tile.size)

    def draw(self, picture: Picture, of: frozenset[int] | None) -> None:
        """The first ones on top; a region with several has a frame each, and their numbers side by side."""
        of_region: dict[Frame, list[Card]] = {}
        for card in self._cards.each:
            if of is None or card.of in of:
                of_region.setdefault(_frame(card, picture.tile.z), []).append(card)
        framed = list(reversed(of_region.items()))
        for frame, cards in framed:
            for ring, card in enumerate(cards):
                _draw_ring(picture, frame, ring * RING_PX, self._colours[card.of])
        for frame, cards in framed:
            self._write(picture, cards, frame)

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """Cards whose regions hold the place."""
        regions = [(card, card.l0_region.tolist()) for card in self._cards.each]
        return [
            Found(card.caption, {"Number": card.number, **card.numbers}, outline_of(card.l0_region).tolist())
            for card, (x, y, width, height) in regions
            if x <= l0_x < x + width and y <= l0_y < y + height
        ]

    def _write(self, picture: Picture, cards: Sequence[Card], frame: Frame) -> None:
        """On plates above the frame, so that nothing in it is covered; on its upper edge where there is no room."""
        lengths = [width_of(str(card.number), NUMBER_PX) + 2 * PAD_PX for card in cards]
        grown, height = RING_PX * len(cards), NUMBER_PX + PAD_PX
        x = max(0, min(frame[0] - grown, page_size(self._l0_size, picture.tile.z)[0] - sum(lengths)))
        y = max(0, frame[1] - grown - height)
        left, top = picture.corner
        for card, length in zip(cards, lengths, strict=True):
            colour = self._colours[card.of]
            picture.fill(x, y, x + length, y + height, contrast(colour))
            picture.fill(x + 1, y + 1, x + length - 1, y + height - 1, colour)
            place = x + PAD_PX - left, y - 3 - top
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


def _draw_ring(picture: Picture, frame: Frame, distance: int, colour: Colour) -> None:
    """Around the frame, so that nothing in it is covered."""
    for grown, width, ink in ((RING_PX, RING_PX, contrast(colour)), (RING_PX - 1, LINE_PX, colour)):
        left, top, right, bottom = (
            side + sign * (distance + grown) for side, sign in zip(frame, (-1, -1, 1, 1), strict=True)
        )
        picture.fill(left, top, right, top + width, ink)
        picture.fill(left, bottom - width, right, bottom, ink)
        picture.fill(left, top, left + width, bottom, ink)
        picture.fill(right - width, top, right, bottom, ink)
