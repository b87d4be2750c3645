"""Mutual information: how much the one stain tells of the other, whichever way their densities go together."""

import numpy as np
from numpy.typing import NDArray

from histoserve.client.registration.affine import Matrix
from histoserve.client.registration.lay import laid
from histoserve.client.registration.view import View

BINS = 24
"""Of each density."""


def mutual_information(he: View, ihc: View, matrix: Matrix) -> float:
    """In bits, of places with tissue on either slide that both have a picture of; 0 if there are none."""
    density, pictured = laid(he, ihc, ihc.structure, matrix)
    seen = he.pictured & pictured & ((he.structure > 0) | (density > 0))
    if not seen.any():
        return 0.0
    return _information(he.structure[seen], density[seen])


def _information(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    edges = np.linspace(0, 1, BINS + 1).tolist()
    joint, _, _ = np.histogram2d(one, other, bins=[edges, edges])
    joint /= joint.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / apart[some])).sum())
