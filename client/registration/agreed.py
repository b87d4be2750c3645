"""The map that most patches agree on: a piece that was torn off, or a fold, does not draw it to where it lies.

ECC makes the whole picture alike, and stretches it for the sake of a piece that only one of the sections has.
"""

import cv2
import numpy as np

from histoserve.client.registration.affine import Matrix, applied, fitted
from histoserve.client.registration.patches import measured, patch_side_um
from histoserve.client.registration.view import View

ROUNDS = 3
"""Each seeks the patches around where the one before has them."""

SMALLER = 2**0.5
"""Than those of the first round, which is far off, are the patches of the others: twice as many."""

FEWEST = 6
"""Patches that agree: three fit any map."""

WITHIN = 0.12
"""Of a patch's side: what is nearer to a map than this agrees with it. Sections bend."""

TRIES = 500


def agreed(he: View, ihc: View, matrix: Matrix) -> Matrix | None:
    """From a map of µm of the H&E to µm of the IHC to a better one; None where too few patches agree on any."""
    side = patch_side_um(he, ihc)
    for part in (side, *[side / SMALLER] * (ROUNDS - 1)):
        found = [each for each in measured(he, ihc, matrix, part) if not each.at_edge]
        if len(found) < FEWEST:
            return None
        here, shift = (np.array([getattr(each, name) for each in found]) for name in ("he_um", "shift_um"))
        there = applied(matrix, here - shift)
        # Its random numbers begin with the same seed at each call.
        _, agreeing = cv2.estimateAffine2D(here, there, None, cv2.RANSAC, WITHIN * side, TRIES)
        if agreeing is None or agreeing.sum() < FEWEST:
            return None
        inside = agreeing.ravel() > 0
        matrix = fitted(here[inside], there[inside])
    return matrix
