"""From two views to the map that lays the one on the other, and the next different one.

160 px: guesses ─ ten apart ─▶ 300 px: refined ─ three apart, by mutual information ─▶ 700 px: refined ─▶ the best

Each is refined by the whole picture (ECC) and by its patches; what tells more of the one stain by the other is kept.
"""

from dataclasses import dataclass

import numpy as np

from histoserve.client.registration.affine import Matrix, applied
from histoserve.client.registration.agreed import agreed
from histoserve.client.registration.coarse import guesses
from histoserve.client.registration.fine import refined
from histoserve.client.registration.mutual import mutual_information
from histoserve.client.registration.view import View, tissue_box_um

COARSE_PX, MIDDLE_PX, FINE_PX = 160, 300, 700
"""Longer side of the larger tissue in each step."""

TEN, THREE = 10, 3

APART, DIFFERENT = 0.2, 0.05
"""Of the tissue's longer side: how far apart two lay its corners, for both to be tried, and at last to count as two."""

WIDE_PX, NARROW_PX, FINEST_PX = 15, 5, 7
"""Filters of the fine steps: two at the middle size, one at the last."""


@dataclass(frozen=True)
class Solution:
    """A way to lay the IHC on the H&E."""

    matrix: Matrix
    """µm of the H&E → µm of the IHC."""
    information: float
    """Mutual, in bits."""


def extent_um(he: View, ihc: View) -> float:
    """Longer side of the larger tissue."""
    return max(*tissue_box_um(he)[2:], *tissue_box_um(ihc)[2:])


def solutions(he: View, ihc: View) -> list[Solution]:
    """Up to three that differ, best first; none if nothing correlates at all."""
    extent = extent_um(he, ihc)
    small, middle, large = ((he.shrunk(extent / px), ihc.shrunk(extent / px)) for px in (COARSE_PX, MIDDLE_PX, FINE_PX))
    corners = _corners(he)
    begun = _apart([guess.matrix for guess in guesses(*small)], corners, APART * extent, TEN)
    better = [_by_information(middle, _refinements(middle, each))[0] for each in begun]
    three = _apart(_by_information(middle, better), corners, DIFFERENT * extent, THREE)
    last = _by_information(
        large, [_by_information(large, [each, _climbed(large, each, FINEST_PX)])[0] for each in three]
    )
    best = _apart(last, corners, DIFFERENT * extent, THREE)
    return [Solution(each, mutual_information(*large, each)) for each in best]


def _refinements(views: tuple[View, View], matrix: Matrix) -> list[Matrix]:
    """By the whole picture, and by its patches from there and from where it was; those that there are."""
    climbed = _climbed(views, _climbed(views, matrix, WIDE_PX), NARROW_PX)
    by_patches = (agreed(*views, each) for each in (climbed, matrix))
    return [climbed, *(each for each in by_patches if each is not None)]


def _climbed(views: tuple[View, View], matrix: Matrix, blur_px: int) -> Matrix:
    """Refined, or as it was where there is no way up."""
    found = refined(*views, matrix, blur_px)
    return matrix if found is None else found


def _by_information(views: tuple[View, View], matrices: list[Matrix]) -> list[Matrix]:
    """Most first."""
    told = [mutual_information(*views, each) for each in matrices]
    return [matrices[i] for i in np.argsort(-np.array(told), kind="stable")]


def _apart(matrices: list[Matrix], corners: np.ndarray, least: float, count: int) -> list[Matrix]:
    """The first `count` that are none of those before them."""
    kept: list[Matrix] = []
    for each in matrices:
        if len(kept) < count and all(_distance(each, other, corners) > least for other in kept):
            kept.append(each)
    return kept


def _distance(one: Matrix, other: Matrix, corners: np.ndarray) -> float:
    away = applied(one, corners) - applied(other, corners)
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _corners(he: View) -> np.ndarray:
    """(4, 2) of the box around the H&E's tissue, in µm."""
    x, y, width, height = tissue_box_um(he)
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
