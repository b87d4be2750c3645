"""Whether a registration can be believed: what was measured, what was wanted, and what to do where it falls short."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from histoserve.client.registration.affine import Matrix
from histoserve.client.registration.lay import laid
from histoserve.client.registration.movement import movement_of
from histoserve.client.registration.patches import Found, share_agreeing
from histoserve.client.registration.search import Solution
from histoserve.client.registration.view import View

LEAD = 1.04
"""Belief over that of the next different solution."""

AGREEING = 0.55
"""Share of patches that must; of 20 unrelated pairs the highest gave 0.50, of real ones, moved, the lowest 0.57."""

LEAST_PATCHES = 5

OVERLAP = 0.5
"""Share of the smaller tissue, as far as both slides show it, that lies on the other's."""

SCALES = (0.7, 1.4)
"""Sizes of the H&E over the IHC: sections shrink and stretch by less."""

STRETCH = 1.25

AROUND_UM = 100.0
"""What is pale in one stain is hardly told from glass; a piece that is missing is larger."""

COPY = 4.0
"""Mean difference in grey levels below which two pictures are one."""


@dataclass(frozen=True)
class Check:
    """One of them."""

    name: str
    value: float | None
    """None where there was nothing to measure."""
    wanted: str
    passed: bool
    advice: str
    """If it did not: what was found, and what to do, a sentence each."""


@dataclass(frozen=True)
class Laid:
    """Two views, and how one lies on the other."""

    he: View
    ihc: View
    solutions: Sequence[Solution]
    """Best first."""
    patches: Sequence[Found]
    patch_side_um: float

    @property
    def matrix(self) -> Matrix:
        """µm of the H&E → µm of the IHC."""
        return self.solutions[0].matrix


def checks(laid_so: Laid) -> list[Check]:
    """All of them, those first whose failure says most about what is wrong."""
    return [_copy(laid_so), *_size(laid_so), _overlap(laid_so), _agreement(laid_so), _lead(laid_so)]


def _size(so: Laid) -> list[Check]:
    movement = movement_of(so.matrix, (0.0, 0.0))
    low, high = SCALES
    return [
        Check(
            "scale",
            movement.scale,
            f"{low:g} to {high:g}",
            low <= movement.scale <= high,
            f"The IHC's tissue would be {movement.scale:.2f} times as large as the H&E's. If one of the slides states "
            "a wrong µm/px, give the true ones with --mpp (H&E) and --mpp-ihc; else they show different tissue.",
        ),
        Check(
            "stretch",
            movement.stretch,
            f"at most {STRETCH:g}",
            movement.stretch <= STRETCH,
            f"One side would be stretched {movement.stretch:.2f} times more than the other, which no section is: the "
            "slides show different tissue, or too little of the same.",
        ),
    ]


def _overlap(so: Laid) -> Check:
    share = overlap(so)
    return Check(
        "overlap",
        share,
        f"at least {OVERLAP:g}",
        share >= OVERLAP,
        f"Only {share:.0%} of the smaller tissue would lie on the other's: the slides show different tissue, or parts "
        "of it that hardly overlap.",
    )


def overlap(so: Laid) -> float:
    """Share of the smaller tissue, as far as both slides have a picture, that lies on the other's."""
    tissue, pictured = _laid_tissue(so)
    he, ihc = so.he.tissue & pictured, tissue & so.he.pictured
    smaller = min(int(he.sum()), int(ihc.sum()))
    return float((he & ihc).sum()) / smaller if smaller else 0.0


def unmatched(so: Laid) -> float:
    """Share of the H&E's tissue that lies where the IHC shows none far around, or has no picture."""
    tissue, _ = _laid_tissue(so)
    side = 2 * round(AROUND_UM / so.he.um_per_px) + 1
    near = cv2.dilate(tissue.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return 1 - float((so.he.tissue & near).sum()) / float(so.he.tissue.sum())


def _laid_tissue(so: Laid) -> tuple[np.ndarray, np.ndarray]:
    tissue, pictured = laid(so.he, so.ihc, so.ihc.tissue.astype(np.float32), so.matrix)
    return tissue > 0.5, pictured


def _agreement(so: Laid) -> Check:
    share = share_agreeing(so.patches, so.patch_side_um)
    agreeing = round((share or 0) * len(so.patches))
    enough = len(so.patches) >= LEAST_PATCHES
    advice = (
        f"{agreeing} of {len(so.patches)} patches lie where the rest has them: the slides show different tissue, or "
        "sections too far apart."
        if enough
        else f"They share too little tissue to tell: {len(so.patches)} patches, and {LEAST_PATCHES} are needed."
    )
    passed = enough and share is not None and share >= AGREEING
    return Check("patches_agreeing", share, f"at least {AGREEING:g} of at least {LEAST_PATCHES}", passed, advice)


def _lead(so: Laid) -> Check:
    best, *others = so.solutions
    lead = best.belief / others[0].belief if others and others[0].belief > 0 else None
    return Check(
        "lead",
        lead,
        f"at least {LEAD:g}",
        best.belief > 0 and (lead is None or lead >= LEAD),
        "Another way to lay them on each other fits as well: the tissue is too even or too round to tell, shows the "
        "same piece more than once, or is not the same.",
    )


def _copy(so: Laid) -> Check:
    colours = [laid(so.he, so.ihc, so.ihc.rgb[..., c].astype(np.float32), so.matrix) for c in range(3)]
    seen = so.he.tissue & colours[0][1]
    smooth = [
        cv2.blur(so.he.rgb[..., c].astype(np.float32), (3, 3)) - cv2.blur(colours[c][0], (3, 3)) for c in range(3)
    ]
    difference = float(np.mean([np.abs(each[seen]).mean() for each in smooth])) if seen.any() else None
    return Check(
        "difference",
        difference,
        f"at least {COPY:g}",
        difference is None or difference >= COPY,
        "Both show the same picture: one is a copy of the other. Give the slide that was stained otherwise.",
    )
