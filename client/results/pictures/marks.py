"""Cards on the picture of a slide: a numbered frame around each region."""

from collections.abc import Sequence

import cv2

from histoserve.client.results.layers import Card, Cards, Colour
from histoserve.client.results.pictures.canvas import Canvas
from histoserve.client.results.pictures.lettering import contrast, width_of, write

LEAST_PX = 18
"""Of a frame's side: a tile of a whole slide would be a dot."""

LINE_PX = 3
"""Still a pixel when the picture is shown at a third of its size."""

NUMBER_PX, PAD_PX = 17, 4


def draw_cards(canvas: Canvas, cards: Cards) -> None:
    """The first ones on top; a region with several cards has a frame each, and their numbers side by side."""
    of_region: dict[tuple[float, ...], list[Card]] = {}
    for card in cards.each:
        of_region.setdefault(tuple(map(float, card.l0_region)), []).append(card)
    colours = [each.colour for each in cards.classes]
    ordered = list(reversed(of_region.values()))
    corners = [_frames(canvas, together, colours) for together in ordered]
    for together, corner in zip(ordered, corners, strict=True):
        _numbers(canvas, together, colours, corner)


def _frames(canvas: Canvas, together: Sequence[Card], colours: Sequence[Colour]) -> tuple[int, int]:
    """Gives the upper left corner of what was drawn."""
    left, top, right, bottom = canvas.frame(together[0].l0_region, LEAST_PX)
    for ring, card in enumerate(together):
        out = ring * (LINE_PX + 2)
        corners = (left - out, top - out), (right + out, bottom + out)
        cv2.rectangle(canvas.image, *corners, contrast(colours[card.of]), LINE_PX + 2)
        cv2.rectangle(canvas.image, *corners, colours[card.of], LINE_PX)
    return left - out, top - out


def _numbers(canvas: Canvas, together: Sequence[Card], colours: Sequence[Colour], corner: tuple[int, int]) -> None:
    """On plates above the frame, so that nothing in it is covered; on its upper edge where there is no room."""
    lengths = [width_of(str(card.number), NUMBER_PX) + 2 * PAD_PX for card in together]
    height = NUMBER_PX + PAD_PX
    x = max(0, min(corner[0], canvas.size[1] - sum(lengths)))
    y = max(0, corner[1] - height)
    for card, length in zip(together, lengths, strict=True):
        colour = colours[card.of]
        cv2.rectangle(canvas.image, (x, y), (x + length - 1, y + height - 1), colour, cv2.FILLED)
        cv2.rectangle(canvas.image, (x, y), (x + length - 1, y + height - 1), contrast(colour), 1)
        write(canvas.image, (x + PAD_PX, y - 3), str(card.number), NUMBER_PX, contrast(colour))
        x += length
