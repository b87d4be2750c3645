"""The thumbnail of a slide with the result drawn on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_PX = 2048
"""Longer side of the overview, without its legend."""

LARGEST_ENLARGEMENT = 4
"""Of small slides, so that outlines do not cover what they outline."""

PALETTE = (
    (255, 221, 0),
    (0, 200, 255),
    (255, 40, 40),
    (0, 220, 60),
    (190, 90, 255),
    (255, 140, 0),
    (0, 90, 255),
    (255, 255, 255),
)
"""RGB of the classes in their order; all differ from the pinks and purples of H&E."""

FRACTION_BITS = 4
"""Outlines are placed to a sixteenth of a pixel."""

RIM_GREY, RIM_OPACITY = 90, 0.5
"""Of the mask's outline."""

MARK_PX = 12
"""Least side of a mark: a tile of a whole slide would be a dot."""

RING_PX = 4
"""From one frame of a region to the next around it."""

ROOMY_PX = 80
"""A wider frame has its text inside."""

MARK_FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.5)

LINE, SWATCH, PADDING = 30, 14, 10
"""Of the legend, in px."""


class Overview:
    """A picture to draw on in level-0 px."""

    def __init__(self, thumbnail: NDArray[np.uint8], l0_width: int):
        """`thumbnail`: the whole slide, RGB (h, w, 3)."""
        height, width = thumbnail.shape[:2]
        enlarged = max(1, min(LARGEST_ENLARGEMENT, LONGEST_PX // max(height, width)))
        image = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2BGR)
        self._image: NDArray[Any] = cv2.resize(image, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_NEAREST)
        self._scale = width * enlarged / l0_width

    def edge(self, mask: NDArray[np.bool_], l0_side: int) -> None:
        """The rim of a mask (rows, columns) of squares of `l0_side` px, faint, so that the result stands out."""
        rows, columns = (
            np.minimum(((np.arange(length) + 0.5) / self._scale / l0_side).astype(int), count - 1)
            for length, count in zip(self._image.shape[:2], mask.shape, strict=True)
        )
        inside = mask[rows[:, None], columns].astype(np.uint8)
        rim = (inside > 0) & (cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0)
        self._image[rim] = (self._image[rim] * (1 - RIM_OPACITY) + RIM_GREY * RIM_OPACITY).astype(np.uint8)

    def outline(self, contours: Sequence[NDArray[np.float32]], colour: Sequence[int]) -> None:
        """Closed lines one pixel wide; each contour (vertices, 2) in level-0 px, `colour` RGB."""
        # OpenCV's whole numbers are centres of pixels, ours their upper left corners.
        points = [
            np.round((contour * self._scale - 0.5) * (1 << FRACTION_BITS)).astype(np.int32) for contour in contours
        ]
        cv2.polylines(self._image, points, True, tuple(reversed(colour)), 1, cv2.LINE_AA, FRACTION_BITS)

    def mark(self, region: NDArray[np.float32], marks: Sequence[tuple[str, Sequence[int]]]) -> None:
        """Frames around a region (x, y, width, height in level-0 px), never too small to be seen: one for each mark.

        A mark is a short text, written into the frame or, where that is small, beside it, and a colour. Both have a
        dark rim, so that they show on any stain.
        """
        centre, half = (region[:2] + region[2:] / 2) * self._scale, np.maximum(region[2:] * self._scale, MARK_PX) / 2
        left = None
        for number, (text, colour) in enumerate(marks):
            out = number * RING_PX
            (x0, y0), (x1, y1) = (np.round(centre + sign * (half + out)).astype(int).tolist() for sign in (-1, 1))
            (width, height), _ = cv2.getTextSize(text, *MARK_FONT, 1)
            if left is None:
                left = x0 + 6 if x1 - x0 > ROOMY_PX else min(x1 + 10, self._image.shape[1] - (width + 8) * len(marks))
                top = max(y0 + height + 6, height)
            for thickness, shade in ((3, (0, 0, 0)), (1, tuple(reversed(colour)))):
                cv2.rectangle(self._image, (x0, y0), (x1, y1), shade, thickness)
                cv2.putText(self._image, text, (left, top), *MARK_FONT, shade, thickness, cv2.LINE_AA)
            left += width + 8

    def legend(self, entries: Sequence[tuple[str, Sequence[int]]]) -> None:
        """Adds a strip below with a swatch and a text each, on as many lines as are needed."""
        places, lines = _places([text for text, _ in entries], self._image.shape[1])
        strip = np.full((lines * LINE + PADDING, self._image.shape[1], 3), 40, np.uint8)
        for (text, colour), (x, y) in zip(entries, places, strict=True):
            cv2.rectangle(strip, (x, y), (x + SWATCH, y + SWATCH), tuple(reversed(colour)), cv2.FILLED)
            cv2.putText(
                strip, text, (x + SWATCH + 6, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
            )
        self._image = np.vstack([self._image, strip])

    def write(self, path: Path) -> None:
        """As PNG."""
        _, data = cv2.imencode(".png", self._image)
        path.write_bytes(data.tobytes())


def _places(texts: Sequence[str], width: int) -> tuple[list[tuple[int, int]], int]:
    """Upper left corner of each swatch, and how many lines they take."""
    places, x, line = [], PADDING, 0
    for text in texts:
        (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        needed = SWATCH + 6 + text_width + 2 * PADDING
        if x > PADDING and x + needed > width:
            x, line = PADDING, line + 1
        places.append((x, PADDING + line * LINE))
        x += needed
    return places, line + 1
