"""The same tissue with more or less of either dye: what a change of laboratory does to a value."""

import numpy as np
from numpy.typing import NDArray

from histoserve.export.spread.haematoxylin import EOSIN, HAEMATOXYLIN

FACTORS = (0.7, 1.35)
"""A change has so much of either dye: both ends of the range, since most of what lies between changes little."""


def rescaled(image: NDArray[np.uint8], factors: tuple[float, float]) -> NDArray[np.uint8]:
    """RGB uint8 (…, 3) with so many times its haematoxylin and its eosin; what is neither stays."""
    dyes = np.array([HAEMATOXYLIN, EOSIN], np.float32)
    # What is neither is at right angles to both.
    axes = np.vstack([dyes, np.cross(*dyes)])
    turn = np.linalg.inv(axes) @ np.diag([*factors, 1.0]) @ axes
    density = -np.log((image.astype(np.float32) + 1) / 256)
    return np.rint(256 * np.exp(-density @ turn.astype(np.float32)) - 1).clip(0, 255).astype(np.uint8)


def drawn_factors(random: np.random.Generator) -> tuple[float, float]:
    """For haematoxylin and eosin."""
    one, other = random.choice(FACTORS, 2)
    return float(one), float(other)
