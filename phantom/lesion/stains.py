"""How a slide was stained and scanned: strength and hue of both dyes, thickness and lamp, chosen by its seed."""

from typing import NamedTuple

import numpy as np

from histoserve.phantom.noise import Floats
from histoserve.phantom.stain import EOSIN, HAEMATOXYLIN, LAMP, Triple

RANGES = {"training": (0.0, 1.0), "outside": (1.3, 2.0)}
"""How far each quantity below is from the middle, in parts of the most that training sees."""

THICKNESS = 0.30
"""At 1, the logarithm of the factor on both dyes: how thick the section is, and how long it was stained."""

BALANCE = 0.22
"""At 1, the logarithm of the factor on haematoxylin, and of one over that on eosin."""

HUE = 0.20
"""At 1, how far a dye's densities in R, G and B are from their middle, in logarithms, their mean kept."""

LAMP_DARKER, LAMP_TINT = 0.045, 0.025
"""The same for the lamp, which only grows darker: the sensor is nearly full."""

_CHANNEL = 1400


class Stains(NamedTuple):
    """Of one slide, as `stain.transmission` takes them."""

    haematoxylin: Triple
    eosin: Triple
    lamp: Triple


def stains(seed: int, within: str) -> Stains:
    """The stains of a slide, within one of `RANGES`; ValueError for another name."""
    if within not in RANGES:
        raise ValueError(f"no range of stains is called {within!r}: choose one of {', '.join(RANGES)}")
    random = np.random.default_rng((seed, _CHANNEL))
    away = random.uniform(*RANGES[within], 6)
    thickness, balance = random.choice((-1.0, 1.0), 2) * (THICKNESS, BALANCE) * away[:2]
    turns = random.uniform(0, 2 * np.pi, 3)
    haematoxylin = np.array(HAEMATOXYLIN) * np.exp(thickness + balance + HUE * away[2] * _tint(turns[0]))
    eosin = np.array(EOSIN) * np.exp(thickness - balance + HUE * away[3] * _tint(turns[1]))
    lamp = np.array(LAMP) * np.exp(LAMP_TINT * away[4] * _tint(turns[2]) - LAMP_DARKER * away[5])
    return Stains(_triple(haematoxylin), _triple(eosin), _triple(np.minimum(lamp, 253.0)))


def _tint(turn: float) -> Floats:
    """A unit vector (3,) in R, G and B without a part in grey."""
    return np.sqrt(2 / 3) * np.cos(turn + np.arange(3) * 2 * np.pi / 3)


def _triple(values: Floats) -> Triple:
    r, g, b = (float(value) for value in values)
    return r, g, b
