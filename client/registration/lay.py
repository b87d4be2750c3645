"""One slide's view laid on the other's."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.registration.affine import Matrix, after, inverse, moving
from histoserve.client.registration.view import View

HALF = moving((0.5, 0.5))
"""OpenCV's places of pixels (middles at integers) → ours (ends at integers)."""


def by_index(matrix: Matrix) -> Matrix:
    """A map from px to px as OpenCV takes it."""
    return after(inverse(HALF), after(matrix, HALF))


def px_map(he: View, ihc: View, matrix: Matrix) -> Matrix:
    """Of µm of the H&E to µm of the IHC: from px of the one view to px of the other."""
    return after(inverse(ihc.to_um), after(matrix, he.to_um))


def um_map(he: View, ihc: View, px: Matrix) -> Matrix:
    """The way back from `px_map`."""
    return after(ihc.to_um, after(px, inverse(he.to_um)))


def laid(
    he: View, ihc: View, values: NDArray[np.float32], matrix: Matrix
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Of the IHC's values (h, w), and where they are of its picture, as they lie under the H&E's view."""
    to_ihc, size = by_index(px_map(he, ihc, matrix)), he.rgb.shape[1::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(values, to_ihc, size, flags=flags)
    seen = cv2.warpAffine(ihc.pictured.view(np.uint8) * np.uint8(255), to_ihc, size, flags=flags)
    return np.asarray(moved, np.float32), np.asarray(seen > 127)
