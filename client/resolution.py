"""Where a slide's µm per pixel comes from, and whether it can be believed."""

import math
from dataclasses import dataclass
from typing import Literal

from histoserve.client.errors import SlideError, WrongUsage

PLAUSIBLE_MPP = (0.05, 50.0)
"""µm/px; finer than any light microscope scans, coarser than any slide's overview."""

OBJECTIVE_MPP = 10.0
"""µm/px times objective power: a 40× scan has about 0.25 µm/px, a 20× scan 0.5."""

OBJECTIVE_FACTOR = 2.0
"""Cameras differ by up to this factor at one objective; a wrong unit gives a factor of 10 or 100."""

SQUARE_TOLERANCE = 0.05
"""How far µm/px across and down may differ before the slide is no longer one of square pixels."""

COARSEST_FACTOR = 2.2
"""How much coarser than the network's training a slide may be: twice, and rounding."""


@dataclass(frozen=True)
class Resolution:
    """How large a level-0 pixel is."""

    mpp: float
    """µm/px; NaN where nobody knows."""
    source: Literal["--mpp", "slide", "nobody"]
    """Who said so."""
    warning: str | None = None
    """What speaks against it, a sentence."""

    @property
    def known(self) -> bool:
        """Whether anybody said so."""
        return self.source != "nobody"


UNKNOWN = Resolution(math.nan, "nobody")


def resolve(
    name: str,
    given: float | None,
    stated: tuple[float, float] | None,
    objective_power: float | None,
    needed: bool = True,
) -> Resolution:
    """µm/px of the slide `name`: as `given` by the user, else as `stated` (across, down) by the file.

    The objective never decides: camera adapters stand between it and the pixels. Without `needed` nobody knows where
    nothing is stated, or nothing plausible. Raises WrongUsage for an implausible `given`; SlideError where nothing is
    known, or what the file says is implausible or contradicts itself.
    """
    if given is not None:
        if not _plausible(given):
            raise WrongUsage(f"--mpp {given:g} is implausible: {_range()} is accepted, 0.25 is a usual 40× scan.")
        return Resolution(given, "--mpp")
    if stated is None and not needed:
        return UNKNOWN
    if stated is None:
        raise no_scale(name)
    mpp = _square(name, *stated)
    if not _plausible(mpp) and not needed:
        return Resolution(
            math.nan, "nobody", f"The file states {mpp:g} µm/px, which no microscope has: it was not used."
        )
    if not _plausible(mpp):
        raise SlideError(
            f"{name} claims {mpp:.6g} µm/px, which is implausible: {_range()} is accepted. "
            "Give the true one with --mpp."
        )
    return Resolution(mpp, "slide", _doubt(mpp, objective_power))


def no_scale(name: str) -> SlideError:
    """For a slide whose µm per pixel nobody knows and the network must."""
    return SlideError(
        f"{name} does not say how large its pixels are, and a network works at one size only. "
        "Give the µm per pixel with --mpp, for example --mpp 0.25 for a usual 40× scan."
    )


def check_network(name: str, slide_mpp: float, network_mpp: float) -> None:
    """Raises SlideError for a slide too coarse to show what the network was trained on."""
    if slide_mpp > COARSEST_FACTOR * network_mpp:
        raise SlideError(
            f"{name} has {slide_mpp:g} µm/px, the network was trained at {network_mpp:g} µm/px and takes slides up to "
            f"{COARSEST_FACTOR * network_mpp:g} µm/px. Scan the slide with a stronger objective; "
            "if its µm/px is wrong, give the true one with --mpp."
        )


def _square(name: str, across: float, down: float) -> float:
    if not max(across, down) <= (1 + SQUARE_TOLERANCE) * min(across, down):
        raise SlideError(
            f"{name} claims {across:g} µm/px across and {down:g} µm/px down; only square pixels can be analysed. "
            "If the file is wrong, give the true µm per pixel with --mpp."
        )
    return (across + down) / 2


def _plausible(mpp: float) -> bool:
    return PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]


def _range() -> str:
    return f"{PLAUSIBLE_MPP[0]:g} to {PLAUSIBLE_MPP[1]:g} µm/px"


def _doubt(mpp: float, power: float | None) -> str | None:
    if power is None or power <= 0:
        return None
    expected = OBJECTIVE_MPP / power
    if expected / OBJECTIVE_FACTOR <= mpp <= expected * OBJECTIVE_FACTOR:
        return None
    return (
        f"The file states {mpp:g} µm/px, which was used, and an objective of {power:g}×, for which about "
        f"{expected:g} µm/px are usual: if the objects look too large or too small, give the true one with --mpp."
    )
