"""How a section was stained for a marker and scanned: strength and hue of both dyes, haze, edge, lamp; by its seed."""

from dataclasses import dataclass

import numpy as np

from histoserve.phantom.lesion.stains import RANGES
from histoserve.phantom.noise import Floats
from histoserve.phantom.stain import Triple

HAEMATOXYLIN = ((0.74, 0.46, 0.17), (0.68, 0.60, 0.28))
"""Optical density (R, G, B) of one unit, of the bluest and of the most violet counterstain."""

DAB = ((0.95, 1.50, 2.10), (1.15, 1.72, 2.05))
"""The same of the pigment, yellowish and reddish brown: one unit is a nucleus of middling strength."""

LAMP = (236.0, 234.0, 230.0)

_CHANNEL = 2100
_COUNTER = (0.42, 0.62)
"""At 1, the logarithm of the factors on haematoxylin and on DAB."""
_HAZE, _HAZIER = 0.045, 0.8
"""DAB that stays everywhere in tissue, in units at eosin 1; at 1, the logarithm of the factor on it."""
_EDGE_SHARE = 0.4
"""Of the slides, those whose edge dried: stained darker there."""


@dataclass(frozen=True)
class Dyes:
    """Of one section."""

    haematoxylin: Triple
    dab: Triple
    lamp: Triple
    haze: float
    edge: float
    """DAB at the very edge of the tissue, in units; as much more of the rest."""
    edge_um: float
    """How far that reaches inwards."""
    blur: float
    """Deviation of the optics' point spread, µm."""
    pale: float
    """Share of the positive cells that are hardly stained."""
    faint: float
    """DAB at the border of tumour cells that do not express a marker of the border, units."""


def dyes(seed: int, within: str) -> Dyes:
    """The dyes of a section, within one of `lesion.stains.RANGES`; ValueError for another name."""
    if within not in RANGES:
        raise ValueError(f"no range of stains is called {within!r}: choose one of {', '.join(RANGES)}")
    random = np.random.default_rng((seed, _CHANNEL))
    away = random.choice((-1.0, 1.0), 4) * random.uniform(*RANGES[within], 4)
    hues = random.uniform(0, 1, 2)
    edge = float(random.uniform(0.1, 0.35)) if random.random() < _EDGE_SHARE else 0.0
    return Dyes(
        haematoxylin=_triple(_between(HAEMATOXYLIN, hues[0]) * np.exp(_COUNTER[0] * away[0])),
        dab=_triple(_between(DAB, hues[1]) * np.exp(_COUNTER[1] * min(away[1], 1.0))),
        lamp=_triple(np.minimum(np.array(LAMP) * (1 + 0.012 * away[2] * random.uniform(-1, 1, 3)), 251.0)),
        haze=_HAZE * float(np.exp(_HAZIER * away[3])),
        edge=edge,
        edge_um=float(random.uniform(60, 220)),
        blur=float(random.uniform(0.25, 0.5)),
        pale=float(random.uniform(0.08, 0.3)),
        faint=float(random.uniform(0.0, 0.08)),
    )


def _between(ends: tuple[Triple, Triple], share: float) -> Floats:
    return np.asarray(np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share)


def _triple(values: Floats) -> Triple:
    r, g, b = (float(value) for value in values)
    return r, g, b
