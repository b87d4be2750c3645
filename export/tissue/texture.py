"""Hand-made features of a picture: what CN113887377A [0003] says loses information."""

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2gray
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

_BINS = 16
_GREYS = 32
_DISTANCES = (1, 2, 4)
_PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "ASM", "energy", "correlation")
_RADII = (1, 2, 3)
_NEIGHBOURS = 8

FEATURES = 3 * _BINS + 2 * len(_PROPERTIES) * len(_DISTANCES) + len(_RADII) * (_NEIGHBOURS + 2)


def texture(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Histogram of each colour, grey-level co-occurrence over all directions, uniform local binary patterns.

    RGB (H, W, 3) → (FEATURES,).
    """
    colour = [
        np.bincount(image[:, :, k].ravel() // (256 // _BINS), minlength=_BINS) / image[:, :, k].size for k in range(3)
    ]
    grey = np.rint(rgb2gray(image) * 255).astype(np.uint8)
    matrix = graycomatrix(grey // (256 // _GREYS), _DISTANCES, np.arange(4) * np.pi / 4, _GREYS, True, True)
    together = [f(graycoprops(matrix, name), axis=1) for name in _PROPERTIES for f in (np.mean, np.ptp)]
    patterns = [_patterns(grey, radius) for radius in _RADII]
    return np.concatenate([*colour, *together, *patterns])


def _patterns(grey: NDArray[np.uint8], radius: int) -> NDArray[np.float64]:
    found = local_binary_pattern(grey, _NEIGHBOURS, radius, "uniform").astype(int)
    return np.bincount(found.ravel(), minlength=_NEIGHBOURS + 2) / found.size
