"""The matrix that serves all of the tissue alike: by least squares of where the patches lie.

ECC goes where contrast is strongest; sections bend, so what suits one lobe best is not what suits all of them.
"""

import numpy as np

from histoserve.client.registration.affine import Matrix, applied, fitted
from histoserve.client.registration.lay import laid
from histoserve.client.registration.patches import measured, patch_side_um
from histoserve.client.registration.view import View

SMALLER = 2**0.5
"""Than those of the check are the patches here: twice as many."""

SURE = 0.3
"""Correlation from which on a patch counts."""

NEAR = 0.15
"""Of a patch's side in the check: a longer shift is another place that looks alike, a tear or a fold."""

LEAST, AGREEING = 20, 0.8
"""Patches, and share of those that are sure, that must be near: fewer would say less than ECC does."""

ROUND = 0.2
"""Least width over length of where they lie: a needle's core says nothing of what lies across it."""


WHOLE = 0.98
"""Share of the H&E's tissue that the IHC must have a picture of: patches at a cut would draw the matrix towards it."""


def evened(he: View, ihc: View, matrix: Matrix) -> Matrix:
    """From a map of µm of the H&E to µm of the IHC to a better one, or the same where too few patches are sure."""
    _, pictured = laid(he, ihc, ihc.structure, matrix)
    if pictured[he.tissue].mean() < WHOLE:
        return matrix
    side = patch_side_um(he, ihc)
    sure = [each for each in measured(he, ihc, matrix, side / SMALLER) if each.correlation >= SURE]
    near = [each for each in sure if not each.at_edge and np.hypot(*each.shift_um) <= NEAR * side]
    if len(near) < max(LEAST, AGREEING * len(sure)):
        return matrix
    here, shift = (np.array([getattr(each, name) for each in near]) for name in ("he_um", "shift_um"))
    lengths = np.linalg.svd(here - here.mean(axis=0), compute_uv=False)
    return fitted(here, applied(matrix, here - shift)) if lengths[1] >= ROUND * lengths[0] else matrix
