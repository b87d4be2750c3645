"""What surrounds a scan: parts that were not scanned and padding, of one colour from the slide's border inwards.

No picture is taken for it: only what is even to a few grey levels over a tenth of a millimetre and more, and reaches
the border, is left out; its edge counts as tissue wherever anything but its own colour and glass is seen there.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import PATCH
from histoserve.client.survey import COLOUR, Survey

LEAST_MM2 = 0.02
"""A smaller even part is kept: it might be one within a picture."""


def surround_of(survey: Survey, mpp: float) -> NDArray[np.bool_]:
    """Which squares (rows, columns) belong to a surround; `mpp`: µm per level-0 px."""
    squares = survey.squares
    found = np.zeros(squares.shape, np.bool_)
    least = LEAST_MM2 / (survey.raster.side * PATCH * mpp / 1000) ** 2
    for number in range(1, len(survey.colours) + 1):
        same = squares >> COLOUR == number
        patches = _reaching_border(_full_patches(same), least)
        if patches.any():
            # Patches are a grid of their own: up to one of them is missing along the surround's edge.
            core = patches.repeat(PATCH, 0).repeat(PATCH, 1)[: same.shape[0], : same.shape[1]]
            found |= same & (cv2.dilate(core, np.ones((2 * PATCH + 1, 2 * PATCH + 1), np.uint8)) > 0)
    return found


def _full_patches(same: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """1 where all squares of a patch are of the colour; those beyond the raster's end are as their neighbours."""
    rows, columns = same.shape
    padded = np.pad(same, ((0, -rows % PATCH), (0, -columns % PATCH)), mode="edge")
    patches = padded.reshape(padded.shape[0] // PATCH, PATCH, padded.shape[1] // PATCH, PATCH)
    return patches.all(axis=(1, 3)).astype(np.uint8)


def _reaching_border(patches: NDArray[np.uint8], least: float) -> NDArray[np.uint8]:
    """Without the connected parts that are smaller than `least` patches or do not touch the border."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(patches, connectivity=4)
    keep = np.zeros(len(found), np.uint8)
    keep[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = 1
    keep[found[:, cv2.CC_STAT_AREA] < least] = 0
    keep[0] = 0
    return keep[labels]
