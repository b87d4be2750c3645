"""Colour from stain: the optical density of two dyes, and the light they let through (Beer-Lambert)."""

import numpy as np
from numpy.typing import NDArray

HAEMATOXYLIN = (0.65, 0.70, 0.29)
"""Optical density (natural logarithm; R, G, B) of one unit of the dye (Ruifrok and Johnston 2001)."""

EOSIN = (0.20, 0.90, 0.40)
"""The same for eosin, fitted by eye to colorectal H&E at 40x: less blue passes than in the published vector."""

LAMP = (243.0, 241.0, 244.0)
"""Intensity of bare glass, R, G, B in 0-255."""

PER_UNIT = 100
"""Steps of an 8-bit amount in one unit of dye."""


Triple = tuple[float, float, float]


def transmission(haematoxylin: Triple = HAEMATOXYLIN, eosin: Triple = EOSIN, lamp: Triple = LAMP) -> NDArray[np.uint8]:
    """Table (256 * 256, 3): row `256 * haematoxylin + eosin` is the RGB colour of these 8-bit amounts."""
    amount = np.arange(256) / PER_UNIT
    density = amount[:, None, None] * np.array(haematoxylin) + amount[None, :, None] * np.array(eosin)
    light = np.array(lamp) * np.exp(-density)
    return np.rint(light).astype(np.uint8).reshape(-1, 3)


def quantised(amount: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Amount of dye in units, as 8-bit steps; what is out of range is clipped."""
    steps = amount * np.float32(PER_UNIT) + np.float32(0.5)
    np.clip(steps, 0, 255, out=steps)
    return steps.astype(np.uint8)


def stained(haematoxylin: NDArray[np.uint8], eosin: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB image (H, W, 3) of two planes (H, W) of 8-bit amounts; `table` is `transmission()`."""
    row = haematoxylin.astype(np.uint16) << np.uint16(8)
    row |= eosin
    return np.asarray(table.take(row, axis=0))


def haematoxylin_of(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Units of haematoxylin in each pixel of an RGB image (..., 3): least squares over the two dyes."""
    density = -np.log(np.maximum(rgb, 1) / np.array(LAMP))
    return np.asarray(density @ np.linalg.pinv(np.array([HAEMATOXYLIN, EOSIN]))[:, 0])
