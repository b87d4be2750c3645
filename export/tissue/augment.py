"""What a tile looks like in training: a look at a slide, turned, flipped, enlarged (CN113887377A [0070-0075])."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.export.tissue.classes import TILE_PX
from histoserve.export.tissue.slides import SIDE, KnownSlide

AREA = (0.3, 1.0)
"""Of a crop, in parts of the tile's."""
ASPECT = (3 / 4, 4 / 3)
"""Width ÷ height of a crop."""


@dataclass(frozen=True)
class Look:
    """A turned rectangle on a slide, which becomes a picture of TILE_PX × TILE_PX."""

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

    def picture(self, slide: KnownSlide) -> NDArray[np.uint8]:
        """RGB uint8 (TILE_PX, TILE_PX, 3); white beyond the slide."""
        scale = self.axes * (self.side / TILE_PX)
        first = self.centre - 0.5 - scale @ np.full(2, TILE_PX / 2 - 0.5)
        half = np.abs(scale) @ np.full(2, TILE_PX / 2) + 2
        start = np.maximum(np.floor(self.centre - half), 0).astype(int)
        end = np.ceil(self.centre + half).astype(int)
        part = slide.image[start[1] : end[1], start[0] : end[0]]
        # Twice as coarse at most: averaged over what a pixel covers.
        soft, shift = (cv2.blur(part, (2, 2), anchor=(0, 0)), 0.5) if self.side.max() > 1.5 * TILE_PX else (part, 0.0)
        return cv2.warpAffine(
            soft,
            np.column_stack((scale, first - start - shift)),
            (TILE_PX, TILE_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderValue=(255, 255, 255),
        ).astype(np.uint8)


def look_near(place: NDArray, area: tuple[float, float], random: np.random.Generator) -> Look:
    """One that shows the place (x, y in px of the slide) somewhere; `area`: least and largest part of a tile's."""
    part, aspect = random.uniform(*area), np.exp(random.uniform(*np.log(ASPECT)))
    side = SIDE * np.sqrt(part * np.array([aspect, 1 / aspect]))
    angle, flip = random.uniform(0, 2 * np.pi), random.choice((-1.0, 1.0))
    straight = Look(np.zeros(2), side, angle, flip)
    return Look(place + straight.axes @ (side * random.uniform(-0.5, 0.5, 2)), side, angle, flip)


def vary_dyes(image: NDArray[np.uint8], strength: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """The same tissue, stained and lit otherwise: each channel's density times a factor, and all of them by one."""
    factors = np.exp(random.normal(0, strength, 3) * 0.5 + random.normal(0, strength))
    light = np.exp(random.normal(0, strength / 4, 3))
    table = 255 * light[:, None] * (np.arange(256) / 255)[None] ** factors[:, None]
    return cv2.LUT(image, table.T.clip(0, 255).round().astype(np.uint8)[None]).astype(np.uint8)
