"""The colours of classes, and of values.

Chosen by search among saturated colours: any two of the first six stay 11 apart (CIEDE2000) for people with any of the
three kinds of colour blindness (simulated as Machado et al. 2009 do), and 20 from the colours of H&E for all others.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Colour

PALETTE: tuple[Colour, ...] = (
    (255, 240, 0),
    (0, 230, 170),
    (235, 100, 0),
    (0, 110, 255),
    (0, 80, 0),
    (200, 40, 80),
    (160, 160, 255),
    (0, 0, 0),
)
"""In the order of the classes: yellow, mint, orange, blue, dark green, crimson, lilac, black."""

SCALE: NDArray[np.uint8] = np.asarray(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
)
"""Of values, from the lowest to the highest, RGB (256, 3)."""


def colour_of(number: int) -> Colour:
    """Of the class with this number, from 0; a ninth class has the first one's."""
    return PALETTE[number % len(PALETTE)]


def colours_of(values: NDArray[np.floating], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """(…) → (…, 3) on a scale from dark violet to yellow, which colour-blind people see rise too; NaN has any."""
    low, high = limits
    share = np.nan_to_num((values - low) / (high - low)).clip(0, 1)
    return np.asarray(SCALE[(share * 255).round().astype(np.uint8)])
