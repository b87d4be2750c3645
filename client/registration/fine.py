"""The guess made exact: turned, moved and stretched until both structures correlate most (ECC, Evangelidis 2008)."""

import cv2
import numpy as np

from histoserve.client.registration.affine import Matrix, after, inverse
from histoserve.client.registration.lay import HALF, by_index, px_map, um_map
from histoserve.client.registration.view import View

STEPS, ENOUGH = 50, 3e-5
"""At most so many, until one gains less correlation than this."""

FLATTEST = 0.1
"""Determinant below which it went astray."""


def refined(he: View, ihc: View, matrix: Matrix, blur_px: int) -> Matrix | None:
    """From a map of µm of the H&E to µm of the IHC to a better one; None where there is no way up.

    `blur_px`, odd: side of the Gaussian filter before; the wider, the farther it sees.
    """
    start = by_index(px_map(he, ihc, matrix)).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, ENOUGH)
    mask = ihc.pictured.view(np.uint8)
    try:
        _, found = cv2.findTransformECC(he.structure, ihc.structure, start, cv2.MOTION_AFFINE, criteria, mask, blur_px)
    except cv2.error:
        return None
    back = um_map(he, ihc, after(HALF, after(np.asarray(found, np.float64), inverse(HALF))))
    return back if np.isfinite(back).all() and abs(np.linalg.det(back[:, :2])) > FLATTEST else None
