"""Where a prepared picture lies in its original: a part of it, enlarged, turned.

`p_` are px of the prepared picture, `l0_` those of the original; x right, y down.

    original ─ crop ─▶ ─ enlarge ─▶ ─ turn counter-clockwise ─▶ prepared
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import Rectangle
from histoserve.client.results.layers import outline_of

Points = NDArray[np.floating]
"""(n, 2)."""


@dataclass(frozen=True)
class Frame:
    """How one goes from the prepared picture back to the original."""

    l0_origin: tuple[float, float] = (0.0, 0.0)
    """Of the prepared picture's upper left corner."""
    scale: float = 1.0
    """Px of the prepared picture per px of the original."""
    degrees: float = 0.0
    """By which the picture was turned counter-clockwise."""

    def points(self, p_points: Points) -> NDArray[np.float64]:
        """(n, 2) in px of the original."""
        return self.directions(p_points) / self.scale + np.array(self.l0_origin)

    def directions(self, p_directions: Points) -> NDArray[np.float64]:
        """(n, 2), as long as they were."""
        x, y = np.asarray(p_directions, np.float64).reshape(-1, 2).T
        cosine, sine = _cosine_sine(self.degrees)
        return np.stack((cosine * x - sine * y, sine * x + cosine * y), axis=-1)

    def p_points(self, l0_points: Points) -> NDArray[np.float64]:
        """(n, 2) in px of the prepared picture: `points` the other way."""
        away = (np.asarray(l0_points, np.float64) - np.array(self.l0_origin)) * self.scale
        return Frame(degrees=-self.degrees).directions(away)

    def outline(self, p_region: Sequence[float]) -> NDArray[np.float32]:
        """The corners (4, 2) of a region."""
        return self.points(outline_of(np.asarray(p_region, np.float32))).astype(np.float32)

    def around(self, p_region: Sequence[float]) -> Rectangle:
        """The whole px of the original that a region touches."""
        corners = self.points(outline_of(np.asarray(p_region, np.float32)))
        left, top = np.floor(corners.min(axis=0) + SLACK).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=0) - SLACK).astype(int).tolist()
        return left, top, right - left, bottom - top

    @property
    def is_identity(self) -> bool:
        """Whether the picture is the original."""
        return self == Frame()


SLACK = 1e-3
"""Px by which float32 may miss a border."""

ORIGINAL = Frame()


def _cosine_sine(degrees: float) -> tuple[float, float]:
    """Exact for quarter turns."""
    quarters, rest = divmod(degrees, 90)
    if rest == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
