"""Text on pictures, in Open Sans: Latin, Greek and Cyrillic letters. What it lacks is written as its code, \\u4e2d."""

from bisect import bisect_right
from functools import cache
from importlib import resources
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from histoserve.client.results.layers import Colour

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)

ABSENT = "\U0010ffff"
"""No font has it, so it looks like all that a font lacks."""

ELLIPSIS = "…"

RIM_SHARE = 0.16
"""Of the letters' height, that a rim is wide."""


def write(image: NDArray[np.uint8], corner: tuple[int, int], text: str, height: int, ink: Colour = WHITE) -> None:
    """In one line with its upper left corner at (x, y), letters of `height` px, cut at the picture's border."""
    _stamp(image, corner, _letters(_writable(text), height, 0), ink)


def write_rimmed(image: NDArray[np.uint8], corner: tuple[int, int], text: str, height: int, ink: Colour) -> None:
    """With a rim, dark around light ink and light around dark, so that it can be read on anything."""
    rim = max(1, round(height * RIM_SHARE))
    x, y = corner
    _stamp(image, (x - rim, y - rim), _letters(_writable(text), height, rim), contrast(ink))
    _stamp(image, corner, _letters(_writable(text), height, 0), ink)


def width_of(text: str, height: int) -> int:
    """In px."""
    return round(_font(height).getlength(_writable(text)))


def shortened(text: str, height: int, width: int) -> str:
    """With its middle left out where it is too wide: both ends of a slide's name tell it from others."""
    text = _writable(text)
    if width_of(text, height) <= width:
        return text
    fitting = bisect_right(range(len(text)), width, key=lambda kept: width_of(_without_middle(text, kept), height))
    return _without_middle(text, max(0, fitting - 1))


def wrapped(text: str, height: int, width: int) -> list[str]:
    """Lines that fit, broken at spaces; a longer word is shortened."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width_of(longer, height) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shortened(line, height, width) for line in lines]


def contrast(colour: Colour) -> Colour:
    """Of black and white, the one that can be read on it."""
    return BLACK if np.dot(colour, (0.299, 0.587, 0.114)) > 140 else WHITE


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: -(-kept // 2)]}{ELLIPSIS}{text[len(text) - kept // 2 :]}"


def _writable(text: str) -> str:
    return "".join(each if _has(each) else each.encode("unicode_escape").decode() for each in text)


@cache
def _has(letter: str) -> bool:
    font, found = _font(16), letter.isprintable()
    return (found and bytes(font.getmask(letter)) != bytes(font.getmask(ABSENT))) or letter == " "


@cache
def _font(height: int) -> ImageFont.FreeTypeFont:
    """The basic layout: the other one refuses some texts."""
    file = resources.files("ttf_opensans") / "ttf" / "OpenSans-SemiBold.ttf"
    return ImageFont.truetype(BytesIO(file.read_bytes()), height, layout_engine=ImageFont.Layout.BASIC)


def _letters(text: str, height: int, rim: int) -> NDArray[np.float32]:
    """How much of each pixel the ink covers, (rows, columns) in 0-1; `rim` px wider on all sides."""
    font = _font(height)
    size = round(font.getlength(text)) + 2 * rim + 2, sum(font.getmetrics()) + 2 * rim
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).text((rim, rim), text, fill=255, font=font, stroke_width=rim)
    return np.asarray(mask, np.float32) / 255


def _stamp(image: NDArray[np.uint8], corner: tuple[int, int], cover: NDArray[np.float32], ink: Colour) -> None:
    x, y = corner
    cover = cover[max(0, -y) : max(0, image.shape[0] - y), max(0, -x) : max(0, image.shape[1] - x), None]
    place = slice(max(0, y), max(0, y) + cover.shape[0]), slice(max(0, x), max(0, x) + cover.shape[1])
    image[place] = (image[place] * (1 - cover) + np.array(ink, np.float32) * cover).round().astype(np.uint8)
