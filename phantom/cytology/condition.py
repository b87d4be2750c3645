"""How a smear was stained and scanned: dyes, lamp, focus and noise, chosen by the slide's seed."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.cytology.waves import Wave, height, waves
from histoserve.phantom.noise import Floats

CYANOPHIL, EOSIN, ORANGE, NUCLEAR, BROWN = range(5)
"""Rows of `Condition.dyes`: light green, eosin Y and orange G in cytoplasm, haematoxylin in nuclei; pigment in dirt."""

_DYES = np.array(
    [
        (0.78, 0.33, 0.30),
        (0.10, 0.72, 0.42),
        (0.05, 0.42, 0.95),
        (0.80, 0.72, 0.42),
        (0.55, 0.75, 1.00),
    ]
)
"""Optical density (natural logarithm; R, G, B) of one unit of each dye, fitted by eye to Papanicolaou smears."""

_CHANNEL = 301


@dataclass(frozen=True)
class Condition:
    """The conditions of one slide."""

    dyes: Floats
    """(5, 3): optical density in R, G, B of one unit of each dye."""
    lamp: Floats
    """Intensity of bare glass, R, G, B in 0-255."""
    deviation: float
    """Of the sensor noise, grey levels."""
    blur: float
    """Deviation of the point spread where the focus is best, µm."""
    swing: float
    """How much wider it is where the focus is worst, µm."""
    waves: tuple[Wave, ...]
    """In which the focus comes and goes."""

    def blur_at(self, x: float, y: float) -> float:
        """Deviation of the point spread at a place, µm."""
        return self.blur + self.swing * (1 + height(self.waves, x, y)) / 2


def condition(seed: int) -> Condition:
    """The conditions that the seed chooses."""
    random = np.random.default_rng((seed, _CHANNEL))
    strength = random.uniform((0.75, 0.7, 0.6, 0.8, 0.9), (1.25, 1.3, 1.3, 1.2, 1.1))
    dyes = _DYES * strength[:, None] * random.uniform(0.9, 1.1, _DYES.shape)
    lamp = random.uniform(222, 250) + random.uniform((-3, -3, -7), (3, 3, 4))
    blur, swing = random.uniform(0.22, 0.55), random.uniform(0.0, 0.45)
    deviation = random.choice((1.2, 1.8, 2.4, 3.0))
    return Condition(dyes, np.minimum(lamp, 253), float(deviation), blur, swing, waves(random, 2, 700, 3000))
