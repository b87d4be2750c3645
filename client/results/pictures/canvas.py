"""The thumbnail of a slide, to be drawn on in level-0 px."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Colour

LARGEST_ENLARGEMENT = 4
"""Of small slides, so that outlines do not cover what they outline."""

FRACTION_BITS = 4
"""Lines are placed to a sixteenth of a pixel."""

FARTHEST_PX = 2**16
"""From the picture; what a server places farther off is none of the slide's, and must not overflow."""

Image = NDArray[np.uint8]
"""RGB (h, w, 3)."""


class Canvas:
    """A picture of a part of a slide."""

    def __init__(self, image: Image, l0_corner: tuple[float, float], scale: float):
        """`scale`: px of the picture per level-0 px."""
        self.image = image
        self.scale = scale
        self._l0_corner = np.array(l0_corner, np.float64)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.image.shape[0], self.image.shape[1]

    def placed(self, l0_points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 2) in px of the picture, from its upper left corner."""
        return (l0_points - self._l0_corner) * self.scale

    def l0_centres(self, axis: int) -> NDArray[np.float64]:
        """Of the picture's columns (0) or rows (1)."""
        return (np.arange(self.image.shape[1 - axis]) + 0.5) / self.scale + self._l0_corner[axis]

    def frame(self, l0_region: NDArray[np.floating], least_px: float = 0) -> tuple[int, int, int, int]:
        """Left, top, right, bottom px of a region, about its centre at least `least_px` wide and high."""
        region = np.asarray(l0_region, np.float64)
        centre = self.placed(region[None, :2] + region[2:] / 2)[0]
        half = np.maximum(region[2:] * self.scale, least_px) / 2
        sides = np.array([*(centre - half), *(centre + half - 1)]).clip(-FARTHEST_PX, FARTHEST_PX)
        left, top, right, bottom = sides.round().astype(int).tolist()
        return left, top, right, bottom


def canvas_of(thumbnail: Image, l0_width: int, longest: int) -> Canvas:
    """Of a whole slide; a small one is enlarged by a whole number, a large one shrunk to `longest` px."""
    height, width = thumbnail.shape[:2]
    enlarged = max(1, min(LARGEST_ENLARGEMENT, longest // max(height, width)))
    scale = min(enlarged, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA
    image = cv2.resize(thumbnail, size, interpolation=how).astype(np.uint8)
    return Canvas(image.copy(), (0, 0), size[0] / l0_width)


def fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Places in px as OpenCV takes them with FRACTION_BITS: its whole numbers are centres of pixels."""
    return np.round((points - 0.5).clip(-FARTHEST_PX, FARTHEST_PX) * (1 << FRACTION_BITS)).astype(np.int32)


def strip(width: int, height: int, colour: Colour) -> Image:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def stacked(parts: list[Image], ground: Colour) -> Image:
    """One below the other, as wide as the widest, the rest filled with `ground`."""
    width = max(part.shape[1] for part in parts)
    return np.vstack(
        [
            cv2.copyMakeBorder(part, 0, 0, 0, width - part.shape[1], cv2.BORDER_CONSTANT, value=ground)
            for part in parts
            if part.shape[0]
        ]
    ).astype(np.uint8)


def write_png(path: Path, image: Image) -> None:
    """Raises OSError if it cannot be written."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
