"""What a marker does to a nucleus' shape, whatever the stain: the signs that H&E holds of it begin here."""

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.markers import MARKERS, TUMOUR, key
from histoserve.phantom.he.nuclei import Nuclei
from histoserve.phantom.noise import Floats, hashed

KI67, ER, PR, HER2, NULL = range(len(MARKERS))

_EVEN = 3.7
"""Nuclei with ER are brought to this radius, µm, if they are larger."""
_HOW_EVEN = 0.75

_MITOTIC = 2080
_DIVIDING = 0.08
"""Of the Ki67-positive tumour cells."""
_PLATE = 0.42
"""The chromosomes' plate is so much narrower than the nucleus."""


def dividing(
    seed: int, keys: NDArray[np.int64], types: NDArray[np.int64], positive: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which cells (N,) are in mitosis."""
    drawn = hashed(seed, _MITOTIC, keys, np.zeros(1, np.int64)) < _DIVIDING
    return np.asarray(drawn & (types == TUMOUR) & positive[:, KI67])


def shaped(seed: int, nuclei: Nuclei, outlines: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Outlines (N, V, 2), µm, as the markers leave them: each within what it was, so that none comes to overlap."""
    centres = np.stack([nuclei.x, nuclei.y], axis=1)[:, None]
    spokes = outlines - centres
    radius = np.sqrt(nuclei.long * nuclei.short)
    even = np.minimum((_EVEN / radius) ** _HOW_EVEN, 1.0)
    spokes = spokes * np.where(positive[:, ER] & (nuclei.type == TUMOUR), even, 1.0)[:, None, None]
    plate = dividing(seed, key(nuclei), nuclei.type, positive)
    axis = np.stack([-np.sin(nuclei.angle), np.cos(nuclei.angle)], axis=1)[:, None]
    across = (spokes * axis).sum(axis=2, keepdims=True) * axis
    return np.asarray(centres + spokes - np.where(plate, 1 - _PLATE, 0.0)[:, None, None] * across)
