"""From two views to the map that lays the one on the other, and the next different one.

160 px: guesses ─ 24 apart ─▶ 300 px: refined ─ three apart, by belief ─▶ 700 px: refined ─▶ the best

Each is refined by the whole picture (ECC) and by its patches; of these is kept what is believed most: what tells most
of the one stain by the other, where most patches lie as it has them. Mutual information alone has preferred a map that
stretches a section over glass.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from histoserve.client.registration.affine import Matrix, applied
from histoserve.client.registration.agreed import agreed
from histoserve.client.registration.coarse import Guess, guesses
from histoserve.client.registration.fine import refined
from histoserve.client.registration.mutual import mutual_information
from histoserve.client.registration.patches import measured, patch_side_um, share_agreeing
from histoserve.client.registration.view import View, tissue_box_um

COARSE_PX, MIDDLE_PX, FINE_PX = 160, 300, 700
"""Longer side of the larger tissue in each step."""

TRIED, THREE = 24, 3

APART, DIFFERENT = 0.12, 0.05
"""Of the tissue's longer side: how far apart two lay its corners, for both to be tried (the steps climb about half of
it), and at last to count as two."""

WIDE_PX, NARROW_PX, FINEST_PX = 15, 5, 7
"""Filters of the fine steps: two at the middle size, one at the last."""


ENOUGH = 0.5
"""Share of the patches: where more agree, one more or less says nothing, and information alone decides."""


@dataclass(frozen=True)
class Solution:
    """A way to lay the IHC on the H&E."""

    matrix: Matrix
    """µm of the H&E → µm of the IHC."""
    information: float
    """Mutual, in bits."""
    agreeing: float
    """Share of the patches that lie where it has them."""

    @property
    def belief(self) -> float:
        """In bits."""
        return self.information * min(self.agreeing, ENOUGH)


Laying = TypeVar("Laying", Guess, Solution)


def extent_um(he: View, ihc: View) -> float:
    """Longer side of the larger tissue."""
    return max(*tissue_box_um(he)[2:], *tissue_box_um(ihc)[2:])


def solutions(he: View, ihc: View) -> list[Solution]:
    """Up to three that differ, best first; none if nothing correlates at all."""
    extent = extent_um(he, ihc)
    small, middle, large = ((he.shrunk(extent / px), ihc.shrunk(extent / px)) for px in (COARSE_PX, MIDDLE_PX, FINE_PX))
    corners = _corners(he)
    begun = _apart(guesses(*small), corners, APART * extent, TRIED)
    better = _sorted(_best(middle, _refinements(middle, each.matrix)) for each in begun)
    three = _apart(better, corners, DIFFERENT * extent, THREE)
    last = _sorted(_best(large, [each.matrix, _climbed(large, each.matrix, FINEST_PX)]) for each in three)
    return _apart(last, corners, DIFFERENT * extent, THREE)


def _refinements(views: tuple[View, View], matrix: Matrix) -> list[Matrix]:
    """By the whole picture, and by its patches from there and from where it was; those that there are."""
    climbed = _climbed(views, _climbed(views, matrix, WIDE_PX), NARROW_PX)
    by_patches = (agreed(*views, each) for each in (climbed, matrix))
    return [climbed, *(each for each in by_patches if each is not None)]


def _climbed(views: tuple[View, View], matrix: Matrix, blur_px: int) -> Matrix:
    """Refined, or as it was where there is no way up."""
    found = refined(*views, matrix, blur_px)
    return matrix if found is None else found


def _best(views: tuple[View, View], matrices: list[Matrix]) -> Solution:
    side = patch_side_um(*views)
    return _sorted(
        Solution(each, mutual_information(*views, each), share_agreeing(measured(*views, each, side), side) or 0.0)
        for each in matrices
    )[0]


def _sorted(found: Iterable[Solution]) -> list[Solution]:
    """Those believed most first; of equals what tells more."""
    return sorted(found, key=lambda each: (-each.belief, -each.information))


def _apart(found: Sequence[Laying], corners: np.ndarray, least: float, count: int) -> list[Laying]:
    """The first `count` that are none of those before them."""
    kept: list[Laying] = []
    for each in found:
        if len(kept) < count and all(_distance(each.matrix, other.matrix, corners) > least for other in kept):
            kept.append(each)
    return kept


def _distance(one: Matrix, other: Matrix, corners: np.ndarray) -> float:
    away = applied(one, corners) - applied(other, corners)
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _corners(he: View) -> np.ndarray:
    """(4, 2) of the box around the H&E's tissue, in µm."""
    x, y, width, height = tissue_box_um(he)
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
