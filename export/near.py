"""How far numbers stray from those that are wanted, and whether that is too far; NumPy alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bounds:
    """What is let pass. Rows are judged apart from this, by scoring what was served."""

    levels: int
    """Of bytes: by how many one may differ"""
    outliers: float
    """Share of the bytes that may differ by more"""
    flips: float
    """Share of the bytes that may change sides of one half: which pixels are nucleus"""
    part: float
    """Of other numbers: by how much of the largest one may differ"""
    jumps: float
    """Share of those that may differ by more"""


@dataclass(frozen=True)
class Strayed:
    """How far one output did."""

    largest: float
    """Difference: levels of bytes, or a part of the largest number"""
    beyond: float
    """Share that differs by more than allowed"""
    flips: float
    """0 for an output that is no bytes"""
    of_bytes: bool

    def __str__(self) -> str:
        if self.of_bytes:
            return f"within {self.largest:.0f} levels, {self.flips:.1e} on the other side of one half"
        if self.beyond:
            return f"near float32 but for {self.beyond:.1%}"
        return f"within {self.largest:.2g} of the largest"


def strayed(found: NDArray, wanted: NDArray, bounds: Bounds) -> Strayed:
    difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    if not np.isfinite(difference).all():
        return Strayed(np.inf, 1.0, 0.0, False)
    if wanted.dtype == np.uint8:
        flips = float(((found >= 128) != (wanted >= 128)).mean())
        return Strayed(float(difference.max(initial=0)), float((difference > bounds.levels).mean()), flips, True)
    difference /= np.abs(wanted).max(initial=1e-6)
    return Strayed(float(difference.max(initial=0)), float((difference > bounds.part).mean()), 0.0, False)


def faults(strayed: Strayed, bounds: Bounds) -> Iterator[str]:
    if strayed.of_bytes:
        unit, allowed = f"{bounds.levels} levels", bounds.outliers
    else:
        unit, allowed = f"{bounds.part:.2g} of the largest value", bounds.jumps
    if strayed.beyond > allowed:
        yield f"{strayed.beyond:.2%} differ by more than {unit}, at most {allowed:.2%} may"
    if strayed.flips > bounds.flips:
        yield f"{strayed.flips:.1e} are on the other side of one half, at most {bounds.flips:.1e} may be"
