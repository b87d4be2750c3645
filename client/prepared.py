"""A picture as it was prepared: a part of a slide, enlarged, turned, held in memory; or the slide as it is."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from histoserve.client.errors import SlideError
from histoserve.client.formats.plain import LARGEST_PX, PlainImage
from histoserve.client.frame import ORIGINAL, SLACK, Frame
from histoserve.client.grid import Rectangle
from histoserve.client.preparation import Preparation
from histoserve.client.slide import RGB, Slide

LONGEST_PX = 2**15 - 2
"""Of a side: OpenCV turns nothing longer."""


@dataclass(frozen=True)
class Prepared:
    """What is cut into regions."""

    slide: Slide
    """In its own px; the original itself where nothing was done."""
    frame: Frame
    l0_crop: Rectangle
    """The part of the original that it shows."""

    def shows(self, core: Rectangle) -> bool:
        """Whether a region's middle lies in the picture, not in a corner that turning left empty."""
        if self.frame.degrees % 90 == 0:
            return True
        x, y, width, height = core
        left, top, across, down = self.l0_crop
        place = self.frame.points(np.array([(x + width / 2, y + height / 2)]))[0]
        return bool(left - SLACK <= place[0] <= left + across + SLACK and top - SLACK <= place[1] <= top + down + SLACK)

    def described(self) -> dict[str, Any]:
        """What was done, in `result.json`: px of the original at which the picture's corner lies, and its size."""
        return {
            "part": list(self.l0_crop),
            "origin": [round(each, 4) + 0.0 for each in self.frame.l0_origin],
            "size": list(self.slide.l0_size),
        }


def prepared(slide: Slide, preparation: Preparation) -> Prepared:
    """Raises SlideError for a part that is none of the slide's, or a picture too large to be held in memory.

    `preparation.crop` is none or a region: "auto" was found before.
    """
    if not preparation.changes_picture:
        return Prepared(slide, ORIGINAL, (0, 0, *slide.l0_size))
    crop = preparation.crop if isinstance(preparation.crop, tuple) else (0, 0, *slide.l0_size)
    _check_crop(slide, crop)
    scale, degrees = preparation.enlarge, preparation.degrees % 360
    frame, size = _frame(crop, scale, degrees)
    _check_size(slide, crop, size, scale != 1 or degrees != 0)
    pixels = slide.read(crop, 0)
    if scale != 1 or degrees % 90 != 0:
        pixels = _warped(pixels, frame, size, crop)
    elif degrees:
        pixels = np.ascontiguousarray(np.rot90(pixels, round(degrees / 90)))
    return Prepared(PlainImage(slide.path, pixels), frame, crop)


def _frame(crop: Rectangle, scale: float, degrees: float) -> tuple[Frame, tuple[int, int]]:
    """And the picture's (width, height): all of the part is in it."""
    x, y, width, height = crop
    back = Frame((0, 0), scale, degrees)
    corners = np.array([(width, height), (width, -height)]) * scale / 2
    # Turned the other way the corners lie as far out.
    half = np.abs(back.directions(corners)).max(axis=0)
    across, down = (max(1, math.ceil(2 * each - SLACK)) for each in half.tolist())
    middle = np.array((x + width / 2, y + height / 2))
    origin = middle - back.points(np.array([(across / 2, down / 2)]))[0]
    return Frame((float(origin[0]), float(origin[1])), scale, degrees), (across, down)


def _warped(pixels: RGB, frame: Frame, size: tuple[int, int], crop: Rectangle) -> RGB:
    """What lies beyond the part has the colour that is most usual at its border."""
    columns = frame.directions(np.eye(2)).T / frame.scale
    # OpenCV counts from the middle of the first pixel.
    shift = frame.points(np.array([(0.5, 0.5)]))[0] - crop[:2] - 0.5
    border = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    fill = np.median(border, axis=0).round().tolist()
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack((columns, shift))
    return cv2.warpAffine(pixels, matrix, size, flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=fill).astype(
        np.uint8
    )


def _check_crop(slide: Slide, crop: Rectangle) -> None:
    x, y, width, height = crop
    if not (x >= 0 and y >= 0 and x + width <= slide.l0_size[0] and y + height <= slide.l0_size[1]):
        raise SlideError(
            f"{slide.name} has {slide.l0_size[0]}×{slide.l0_size[1]} px, and the part {x},{y},{width},{height} of "
            "--crop (x, y, width, height) reaches beyond it."
        )


def _check_size(slide: Slide, crop: Rectangle, size: tuple[int, int], is_warped: bool) -> None:
    largest = max(crop[2] * crop[3], size[0] * size[1])
    if largest > LARGEST_PX or (is_warped and max(*crop[2:], *size) > LONGEST_PX):
        raise SlideError(
            f"{slide.name} as prepared has {size[0]}×{size[1]} px, more than can be held in memory ({LARGEST_PX} px, "
            f"sides of {LONGEST_PX}): give a smaller part with --crop, or enlarge it less."
        )
