"""Two slides side by side: where a place of one lies on the other."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import WrongUsage
from histoserve.client.slide import printable
from histoserve.client.view.result import SlideSaid

Matrix = NDArray[np.float64]
"""(2, 3): level-0 px of one slide (x, y, 1) → those of the other."""

FLATTEST = 1e-6
"""Determinant below which a registration squeezes a slide into a line."""


@dataclass(frozen=True)
class Link:
    """Of two slides."""

    matrix: Matrix
    by: str
    """"registration", "um" (from the slides' centres, by their µm/px) or "size" (for want of these)."""

    def described(self) -> dict[str, Any]:
        """As `description.json` has it."""
        return {"matrix": self.matrix.tolist(), "linked": self.by, "registered": self.by == "registration"}


def read_registration(path: Path) -> Matrix:
    """From the first slide to the second. Raises WrongUsage for what is none."""
    try:
        matrix = np.array(json.loads(path.read_text("utf-8"))["matrix"], np.float64)
    except OSError as error:
        raise WrongUsage(f"--registration {printable(path)} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WrongUsage(f"--registration {printable(path)} holds no matrix of numbers: {error!r:.80}.") from error
    if matrix.shape != (2, 3) or not np.isfinite(matrix).all() or not abs(np.linalg.det(matrix[:, :2])) > FLATTEST:
        raise WrongUsage(
            f"--registration {printable(path)}: its matrix must be [[a, b, c], [d, e, f]] that turns a place of the "
            "first slide into one of the second, and back."
        )
    return matrix


def link(slides: tuple[SlideSaid, SlideSaid], registration: Matrix | None, turned: bool) -> Link:
    """From the first to the second; `registration` leads that way, or back if `turned`."""
    if registration is not None:
        return Link(inverse(registration) if turned else registration, "registration")
    one, other = slides
    by_um = one.mpp is not None and other.mpp is not None
    scale = one.mpp / other.mpp if by_um else math.sqrt(_area(other) / _area(one))  # type: ignore[operator]
    centres = [np.array(each.l0_size, np.float64) / 2 for each in slides]
    return Link(np.column_stack([np.eye(2) * scale, centres[1] - scale * centres[0]]), "um" if by_um else "size")


def inverse(matrix: Matrix) -> Matrix:
    """The way back."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def _area(said: SlideSaid) -> float:
    return float(said.l0_size[0] * said.l0_size[1])
