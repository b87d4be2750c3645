"""A look at a known slide: turned, flipped, enlarged, as a picture of the networks' size."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.known_slide import KnownSlide

PX = 224
"""Side of the picture, unless told."""
ASPECT = (3 / 4, 4 / 3)
"""Width ÷ height of a crop."""


@dataclass(frozen=True)
class Look:
    """A turned rectangle on a slide, which becomes a square picture."""

    centre: NDArray[np.float64]
    """(2,): x, y in px of the slide."""
    side: NDArray[np.float64]
    """(2,): width and height in px of the slide."""
    angle: float
    """Radians from x to y."""
    flip: float
    """1, or −1 for a mirrored one."""

    @property
    def axes(self) -> NDArray[np.float64]:
        """(2, 2): its own axes, of length 1, as columns."""
        turn = np.array([[np.cos(self.angle), -np.sin(self.angle)], [np.sin(self.angle), np.cos(self.angle)]])
        return turn * np.array([self.flip, 1.0])

    def cells(self, slide: KnownSlide) -> tuple[int, int]:
        """How many it shows, and how many of these are lesion cells."""
        shown = (np.abs((slide.cells - self.centre) @ self.axes) <= self.side / 2).all(axis=1)
        return int(shown.sum()), int(slide.is_lesion[shown].sum())

    def share(self, slide: KnownSlide) -> float:
        """Lesion cells ÷ all cells that it shows; NaN where there is none."""
        cells, lesion = self.cells(slide)
        return lesion / cells if cells else float("nan")

    def picture(self, slide: KnownSlide, px: int = PX) -> NDArray[np.uint8]:
        """RGB uint8 (px, px, 3); white beyond the slide."""
        scale = self.axes * (self.side / px)
        first = self.centre - 0.5 - scale @ np.full(2, px / 2 - 0.5)
        half = np.abs(scale) @ np.full(2, px / 2) + 2
        start = np.maximum(np.floor(self.centre - half), 0).astype(int)
        end = np.ceil(self.centre + half).astype(int)
        part = slide.image[start[1] : end[1], start[0] : end[0]]
        # Twice as coarse at most: averaged over what a pixel covers.
        soft, shift = (cv2.blur(part, (2, 2), anchor=(0, 0)), 0.5) if self.side.max() > 1.5 * px else (part, 0.0)
        return cv2.warpAffine(
            soft,
            np.column_stack((scale, first - start - shift)),
            (px, px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=(255, 255, 255),
        ).astype(np.uint8)


def look_near(place: NDArray, side: float, area: tuple[float, float], random: np.random.Generator) -> Look:
    """One that shows the place (x, y in px of the slide) somewhere; `area`: least and largest part of `side`²."""
    part, aspect = random.uniform(*area), np.exp(random.uniform(*np.log(ASPECT)))
    sides = side * np.sqrt(part * np.array([aspect, 1 / aspect]))
    angle, flip = random.uniform(0, 2 * np.pi), random.choice((-1.0, 1.0))
    straight = Look(np.zeros(2), sides, angle, flip)
    return Look(place + straight.axes @ (sides * random.uniform(-0.5, 0.5, 2)), sides, angle, flip)
