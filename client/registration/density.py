"""Optical density: what dyes and tissue take of the light, whichever colour it has."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.slide import RGB

GLASS_SHARE = 0.95
"""Of the brightest pixels that this share of all is darker than, glass is one; where there is little, pale tissue."""

GLASS_RANGE = (200.0, 250.0)
"""Grey levels between which glass is, by any white balance."""

TISSUE = 0.03
"""Mean density from which on something is no glass: pale stroma in an IHC has 0.05, uneven light 0.01."""

BLUR_UM = 24.0
"""Over which it is averaged before: nuclei with clear cytoplasm between them are tissue."""

EVENLY = (1 / 3, 1 / 3, 1 / 3)

SHARED = (0.7, 0.3, 0.0)
"""Red, green and blue light in which both stains look most alike: eosin takes hardly any red, DAB little; haematoxylin,
which is in both, takes most of it."""

HALFWAY = 0.1
"""Density that counts for half."""

SPECK = 0.002
"""A connected part smaller than this share of the largest is dust."""


def glass_of(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The colour of a slide's glass, from its pixels (N, 3)."""
    if not len(rgb):
        return np.full(3, GLASS_RANGE[1])
    return np.clip(np.quantile(rgb, GLASS_SHARE, axis=0, method="nearest").astype(np.float64), *GLASS_RANGE)


def density_of(rgb: RGB, glass: NDArray[np.float64], weights: tuple[float, ...] = EVENLY) -> NDArray[np.float32]:
    """(h, w): mean over the channels, 0 for glass and what is brighter."""
    tables = channel_densities(glass)
    return np.asarray(sum(weight * tables[c][rgb[..., c]] for c, weight in enumerate(weights)), np.float32)


def structure_of(rgb: RGB, glass: NDArray[np.float64]) -> NDArray[np.float32]:
    """(h, w), 0 to 1: where something is, more than how much of it: each stain takes its own share of the light."""
    density = density_of(rgb, glass, SHARED)
    return np.asarray(density / (density + np.float32(HALFWAY)), np.float32)


def channel_densities(glass: NDArray[np.float64]) -> NDArray[np.float32]:
    """(3, 256): the density of each grey level of each channel."""
    levels = np.arange(256) + 1.0
    return np.log10((glass[:, None] + 1) / levels[None]).clip(0).astype(np.float32)


def is_tissue(density: NDArray[np.float32], um_per_px: float) -> NDArray[np.bool_]:
    """(h, w): where there is something over a few cells' width, but for dust."""
    sigma = BLUR_UM / um_per_px / 2
    smooth = cv2.GaussianBlur(density, (0, 0), sigma) if sigma > 0.3 else density
    _, labels, found, _ = cv2.connectedComponentsWithStats((smooth > TISSUE).astype(np.uint8), connectivity=8)
    areas = found[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    keep = areas >= max(1.0, SPECK * float(areas.max()))
    keep[0] = False
    return np.asarray(keep[labels])
