"""Tissue as another laboratory would have stained it and another scanner lit it."""

import cv2
import numpy as np
from numpy.typing import NDArray


def vary_dyes(image: NDArray[np.uint8], strength: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """The same tissue, stained and lit otherwise: each channel's density times a factor, and all of them by one."""
    factors = np.exp(random.normal(0, strength, 3) * 0.5 + random.normal(0, strength))
    light = np.exp(random.normal(0, strength / 4, 3))
    table = 255 * light[:, None] * (np.arange(256) / 255)[None] ** factors[:, None]
    return cv2.LUT(image, table.T.clip(0, 255).round().astype(np.uint8)[None]).astype(np.uint8)
