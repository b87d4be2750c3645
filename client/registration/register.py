"""Two slides laid on each other, or why not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2

from histoserve.client.errors import HistoserveError, SlideError
from histoserve.client.registration.affine import Matrix, after, scaling
from histoserve.client.registration.checks import Check, Laid, checks
from histoserve.client.registration.even import evened
from histoserve.client.registration.patches import measured, patch_side_um
from histoserve.client.registration.search import FINE_PX, extent_um, solutions
from histoserve.client.registration.stain import EOSIN, eosin_share
from histoserve.client.registration.view import View, look, look_closer
from histoserve.client.slide import Slide


class NotRegistered(HistoserveError):
    """The slides cannot be laid on each other, or not so that it can be believed."""

    def __init__(self, why: str, checks: Sequence[Check] = ()):
        super().__init__(why)
        self.checks = checks
        """What was measured, if it came to that."""


@dataclass(frozen=True)
class Scaled:
    """An open slide and how large its pixels are."""

    slide: Slide
    mpp: float
    """µm per level-0 px."""


@dataclass(frozen=True)
class Outcome:
    """Two slides laid on each other, to be believed."""

    laid: Laid
    checks: list[Check]
    matrix: Matrix
    """Level-0 px of the H&E → level-0 px of the IHC."""
    eosin: tuple[float, float]
    """Of the H&E and the IHC: how much each looks like H&E."""


def register(he: Scaled, ihc: Scaled, progress: Callable[[str], None] = lambda text: None) -> Outcome:
    """Raises SlideError for what cannot be read or shows no tissue, NotRegistered where a check fails."""
    with one_thread():
        progress("reading both slides")
        views = _views(he, ihc)
        eosin = _stains(he, ihc, *views)
        progress("trying turns, mirroring and scales")
        found = solutions(*views)
        if not found:
            raise NotRegistered(_refusal(he, ihc, "Nowhere do they look alike: the slides show different tissue."))
        progress("checking")
        at = FINE_PX / extent_um(*views)
        fine = views[0].shrunk(1 / at), views[1].shrunk(1 / at)
        best, *others = found
        matrix_um = evened(*fine, best.matrix)
        side = patch_side_um(*fine)
        laid = Laid(*fine, [replace(best, matrix=matrix_um), *others], measured(*fine, matrix_um, side), side)
        told = checks(laid)
    for check in told:
        if not check.passed:
            raise NotRegistered(_refusal(he, ihc, check.advice), told)
    matrix = after(scaling(1 / ihc.mpp), after(laid.matrix, scaling(he.mpp)))
    return Outcome(laid, told, matrix, eosin)


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV adds up in one order, whatever the machine."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _views(he: Scaled, ihc: Scaled) -> tuple[View, View]:
    """As fine as the last step wants them."""
    seen = []
    for each in (he, ihc):
        view = look(each.slide, each.mpp)
        if not view.tissue.any():
            raise SlideError(f"{each.slide.name} shows no tissue, so nothing can be laid on it. Give another slide.")
        seen.append(view)
    um_per_px = extent_um(*seen) / FINE_PX
    closer = [look_closer(one.slide, one.mpp, view, um_per_px) for one, view in zip((he, ihc), seen, strict=True)]
    return closer[0], closer[1]


def _stains(he: Scaled, ihc: Scaled, he_view: View, ihc_view: View) -> tuple[float, float]:
    """Raises NotRegistered for an IHC that is H&E."""
    shares = eosin_share(he_view), eosin_share(ihc_view)
    if shares[1] >= EOSIN:
        advice = (
            "The slides seem to be given in the wrong order: histoserve register HE IHC."
            if shares[0] < EOSIN
            else "Give the slide that was stained for the marker."
        )
        raise NotRegistered(
            f"{ihc.slide.name} was given as the IHC, and its colours are those of H&E (green density {shares[1]:.0%} "
            f"above the others; DAB with haematoxylin has under {EOSIN:.0%}). {advice}"
        )
    return shares


def _refusal(he: Scaled, ihc: Scaled, advice: str) -> str:
    return f"{ihc.slide.name} cannot be laid on {he.slide.name}. {advice}"
