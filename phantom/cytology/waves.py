"""Slow changes over a slide, as a sum of a few waves: far cheaper at single places than noise."""

from math import pi, sin
from typing import NamedTuple

import numpy as np


class Wave(NamedTuple):
    """One wave: cycles per µm in x and in y, and its phase in cycles."""

    x: float
    y: float
    phase: float


def waves(random: np.random.Generator, number: int, shortest: float, longest: float) -> tuple[Wave, ...]:
    """Waves in random directions, of lengths between these, µm."""
    turns, lengths = random.uniform(0, 2 * np.pi, number), random.uniform(shortest, longest, number)
    rows = np.stack([np.cos(turns) / lengths, np.sin(turns) / lengths, random.random(number)], axis=1)
    return tuple(Wave(*row) for row in rows.tolist())


def height(of: tuple[Wave, ...], x: float, y: float) -> float:
    """Mean of the waves at a place, -1 to 1."""
    return sum(sin(2 * pi * (wave.x * x + wave.y * y + wave.phase)) for wave in of) / len(of)
