"""By how much the matrix misses, place by place: each patch of the H&E is sought around where the matrix has it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.registration.affine import Matrix, applied
from histoserve.client.registration.lay import laid
from histoserve.client.registration.view import View

COUNT = 25
"""About so many, side by side, cover the tissue."""

TELLING = 0.2
"""Correlation below which a patch is alike everywhere or nowhere, and says nothing of where it lies."""

SEEN = 0.5
"""Share of a patch that must be tissue on both slides."""

LEAST_PX = 8
"""Of a patch's side."""

REACH = 0.5
"""Of a patch's side: how far around it is sought."""

AGREE = 0.15
"""Of a patch's side: a shorter shift agrees with the matrix. By chance one in fourteen does."""


@dataclass(frozen=True)
class Found:
    """Where one patch lies."""

    he_um: tuple[float, float]
    """Its middle."""
    shift_um: tuple[float, float]
    """What the IHC, read through the matrix, must still be moved by to lie on the H&E."""
    correlation: float
    at_edge: bool
    """Nothing better was found within reach: it lies elsewhere, or nowhere."""


def patch_side_um(he: View, ihc: View) -> float:
    """Of squares of which so many cover the smaller tissue."""
    return float(np.sqrt(min(he.tissue_um2, ihc.tissue_um2) / COUNT))


def agrees(patch: Found, side_um: float) -> bool:
    """Whether it lies where the matrix has it."""
    return not patch.at_edge and bool(np.hypot(*patch.shift_um) <= AGREE * side_um)


def share_agreeing(patches: Sequence[Found], side_um: float) -> float | None:
    """Of those that tell anything; None where none does."""
    return sum(agrees(each, side_um) for each in patches) / len(patches) if patches else None


def measured(he: View, ihc: View, matrix: Matrix, side_um: float) -> list[Found]:
    """Row by row those that tell anything, and show enough of both slides. `matrix`: µm of the H&E → µm of the IHC."""
    moved, pictured = laid(he, ihc, ihc.structure, matrix)
    tissue, _ = laid(he, ihc, ihc.tissue.astype(np.float32), matrix)
    good = he.tissue & pictured & (tissue > 0.5)
    side = max(LEAST_PX, round(side_um / he.um_per_px))
    reach = round(side * REACH)
    # Beyond the view is glass: a patch at its border is sought as far as any other.
    wider = np.pad(moved, reach)
    every = (
        _measured(he, wider, (left, top), side, reach)
        for top in range(0, good.shape[0] - side + 1, side)
        for left in range(0, good.shape[1] - side + 1, side)
        if good[top : top + side, left : left + side].mean() >= SEEN
    )
    return [each for each in every if each.correlation >= TELLING]


def _measured(he: View, wider: NDArray[np.float32], corner: tuple[int, int], side: int, reach: int) -> Found:
    left, top = corner
    around = wider[top : top + side + 2 * reach, left : left + side + 2 * reach]
    (x, y), correlation, at_edge = _sought(he.structure[top : top + side, left : left + side], around)
    middle = applied(he.to_um, [(left + side / 2, top + side / 2)])[0]
    shift = (reach - x) * he.um_per_px, (reach - y) * he.um_per_px
    return Found((float(middle[0]), float(middle[1])), shift, correlation, at_edge)


def _sought(patch: NDArray[np.float32], around: NDArray[np.float32]) -> tuple[tuple[float, float], float, bool]:
    """Where the patch fits best (x, y), how well, and whether that is at the edge."""
    scores = np.asarray(cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED), np.float32)
    scores[~np.isfinite(scores)] = 0
    y, x = (int(each) for each in np.unravel_index(int(np.argmax(scores)), scores.shape))
    best = float(scores[y, x])
    if x in (0, scores.shape[1] - 1) or y in (0, scores.shape[0] - 1):
        return (float(x), float(y)), best, True
    return (x + _summit(scores[y, x - 1 : x + 2]), y + _summit(scores[y - 1 : y + 2, x])), best, False


def _summit(three: NDArray[np.float32]) -> float:
    """Of the parabola through three values, from the middle one, which is the highest."""
    left, middle, right = map(float, three)
    curvature = left - 2 * middle + right
    return 0.0 if curvature >= 0 else float(np.clip((left - right) / curvature / 2, -0.5, 0.5))
