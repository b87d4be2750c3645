"""How long a micrometre is on a picture."""

import math

import cv2

from histoserve.client.results.layers import Colour
from histoserve.client.results.pictures.canvas import Image
from histoserve.client.results.pictures.lettering import WHITE, contrast, write_rimmed

LETTERS_PX = 16


def bar(px_per_um: float, most_px: float) -> tuple[int, str]:
    """Its length in px, and what it stands for: the longest of 1, 2 or 5 times a power of ten µm that fits."""
    most = most_px / px_per_um
    step = 10.0 ** math.floor(math.log10(most))
    um = max(factor * step for factor in (1, 2, 5) if factor * step <= most * (1 + 1e-9))
    return max(1, round(um * px_per_um)), f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def draw_bar(image: Image, place: tuple[int, int], length: int, text: str, ink: Colour = WHITE) -> None:
    """With its left end at `place`, the text behind it."""
    x, y = place
    for width, colour in ((6, contrast(ink)), (3, ink)):
        cv2.line(image, (x, y), (x + length - 1, y), colour, width)
    write_rimmed(image, (x + length + 8, y - 13), text, LETTERS_PX, ink)
