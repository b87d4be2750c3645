"""How a slide was stained and scanned: strength and hue of both dyes, thickness and lamp, chosen by its seed."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.stain import EOSIN, HAEMATOXYLIN, LAMP, Triple

RANGES = {"training": (0.0, 1.0), "outside": (1.3, 2.0)}
"""How far a quantity is from the middle, in parts of what training sees: none of these two overlap in any of them."""

_STRENGTH = 0.26
_THICKNESS = 0.16
_HUE = 0.16
"""Logarithms of the factors at 1: on either dye, on both, and on each dye's density in R, G and B."""

_LAMP, _TINT = 0.045, 0.02
"""The same for the lamp, and for each of its colours. It only grows darker: the sensor is nearly full."""

_CHANNEL = 1400


@dataclass(frozen=True)
class Stains:
    """Of one slide, as `stain.transmission` takes them."""

    haematoxylin: Triple
    eosin: Triple
    lamp: Triple


def stains(seed: int, within: str) -> Stains:
    """The stains of a slide, within one of `RANGES`; ValueError for another name."""
    if within not in RANGES:
        raise ValueError(f"no range of stains is called {within!r}: choose one of {', '.join(RANGES)}")
    random = np.random.default_rng((seed, _CHANNEL))
    signs, sizes = random.choice((-1.0, 1.0), 13), random.uniform(*RANGES[within], 13)
    away = signs * sizes
    thickness = _THICKNESS * away[0]
    # A dye's mean density is its strength: hue turns around it.
    hue = _HUE * (away[1:7].reshape(2, 3) - away[1:7].reshape(2, 3).mean(axis=1, keepdims=True))
    factor = np.exp(hue + _STRENGTH * away[7:9, None] + thickness)
    dyes = np.array([HAEMATOXYLIN, EOSIN]) * factor
    lamp = np.minimum(np.array(LAMP) * np.exp(-_LAMP * sizes[9] + _TINT * away[10:13]), 252.0)
    return Stains(_triple(dyes[0]), _triple(dyes[1]), _triple(lamp))


def _triple(values: np.ndarray) -> Triple:
    r, g, b = (float(value) for value in values)
    return r, g, b
