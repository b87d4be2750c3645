"""The baseline: brown area ÷ nuclear area, by colour deconvolution alone, without cells or a lesion region."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from histoserve.export.nuclei.tiles import UNMIX

BROWN, BLUE = 0.15, 0.1
"""Decadic densities of DAB and of haematoxylin from which on a pixel has the stain."""


def ratio_by_colour(pictures: Iterable[NDArray[np.uint8]]) -> float:
    """RGB (H, W, 3) each → brown pixels ÷ brown or blue pixels (Ruifrok & Johnston, 2001); NaN where there are none."""
    stained, brown = np.sum([_areas(each) for each in pictures], axis=0)
    return float(brown / stained) if stained else float("nan")


def _areas(image: NDArray[np.uint8]) -> tuple[int, int]:
    """Pixels that are brown or blue, and those that are brown."""
    density = -np.log10((image.reshape(-1, 3).astype(np.float64) + 1) / 256)
    haematoxylin, _, dab = (density @ UNMIX).T
    brown = dab > BROWN
    return int((brown | (haematoxylin > BLUE)).sum()), int(brown.sum())
