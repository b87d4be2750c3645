"""The baseline: brown area ÷ nuclear area, by colour deconvolution alone, without cells or a lesion region."""

import numpy as np
from numpy.typing import NDArray

from histoserve.export.nuclei.tiles import UNMIX

BROWN, BLUE = 0.15, 0.1
"""Decadic densities of DAB and of haematoxylin from which on a pixel has the stain."""


def ratio_by_colour(image: NDArray[np.uint8]) -> float:
    """RGB (H, W, 3) → brown pixels ÷ brown or blue pixels (Ruifrok & Johnston, 2001); NaN where there are none."""
    density = -np.log10((image.reshape(-1, 3).astype(np.float64) + 1) / 256)
    blue, _, brown = (density @ UNMIX).T
    stained = (brown > BROWN) | (blue > BLUE)
    return float((brown > BROWN).sum() / stained.sum()) if stained.any() else float("nan")
