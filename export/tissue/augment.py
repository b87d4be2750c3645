"""What a tile looks like in training: a crop of it, turned and flipped (CN113887377A [0070-0075])."""

import cv2
import numpy as np

from histoserve.export.tissue.classes import TILE_PX
from histoserve.export.tissue.tiles import SIDE

AREA = (0.3, 1.0)
"""Of a crop, in parts of the tile's."""
ASPECT = (3 / 4, 4 / 3)
"""Width ÷ height of a crop."""


def crop(image: np.ndarray, turned: bool, area: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    """A random part of RGB uint8 (SIDE, SIDE, 3), resized to (TILE_PX, TILE_PX, 3).

    `area` is the least and the largest part of the tile; `turned` by any angle, then flipped or not.
    """
    part, aspect = random.uniform(*area), np.exp(random.uniform(*np.log(ASPECT)))
    width, height = (min(SIDE, SIDE * np.sqrt(part * ratio)) for ratio in (aspect, 1 / aspect))
    left, top = random.uniform(0, SIDE - width), random.uniform(0, SIDE - height)
    angle = random.uniform(0, 2 * np.pi) if turned else 0.0
    flip = -1.0 if turned and random.random() < 0.5 else 1.0
    # From the crop's pixels to the tile's: what the turn brings in from beyond its border is mirrored.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scale = turn @ np.diag([flip * width / TILE_PX, height / TILE_PX])
    centre = np.array([left + width / 2, top + height / 2]) - 0.5
    matrix = np.column_stack((scale, centre - scale @ np.full(2, TILE_PX / 2 - 0.5)))
    # Twice as coarse at most: averaged over what a pixel covers.
    soft = cv2.blur(image, (2, 2), anchor=(0, 0)) if part > 0.5 else image
    return cv2.warpAffine(
        soft,
        matrix,
        (TILE_PX, TILE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    ).astype(np.uint8)


def whole(image: np.ndarray) -> np.ndarray:
    """The whole tile, as it is served: (TILE_PX, TILE_PX, 3)."""
    return cv2.resize(image, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA).astype(np.uint8)


def vary_dyes(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """The same tissue, stained and lit otherwise: each channel's density times a factor, and all of them by one."""
    factors = np.exp(random.normal(0, strength, 3) * 0.5 + random.normal(0, strength))
    light = np.exp(random.normal(0, strength / 4, 3))
    table = 255 * light[:, None] * (np.arange(256) / 255)[None] ** factors[:, None]
    return cv2.LUT(image, table.T.clip(0, 255).round().astype(np.uint8)[None]).astype(np.uint8)
