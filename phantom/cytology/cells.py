"""The cells of a Papanicolaou smear, as layers of dye with an outline each.

A builder per kind takes random numbers and the place of the nucleus. Lengths are µm, areas µm², amounts units of dye.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from histoserve.phantom.cytology.condition import BROWN, CYANOPHIL, EOSIN, NUCLEAR, ORANGE
from histoserve.phantom.cytology.diagnosis import ASCUS, HSIL, LSIL, NEUTROPHIL, NORMAL
from histoserve.phantom.cytology.grain import CLUMPS, CYTOPLASM, FINE, STREAKS
from histoserve.phantom.noise import Floats

NORMAL_AREA = 45.0
"""Nucleus of an intermediate cell, the measure of all others (7.6 µm across)."""

_TURNS = np.arange(40) * 2 * np.pi / 40
_WAVES = np.arange(2, 8)
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)
_COSINES, _SINES = np.cos(_WAVES[:, None] * _TURNS), np.sin(_WAVES[:, None] * _TURNS)


@dataclass(frozen=True)
class Layer:
    """Dye within an outline."""

    outline: Floats
    """Polygon (V, 2) on the slide; several of them, (N, V, 2), are one area where they overlap."""
    dyes: tuple[tuple[int, float], ...]
    """Row of `Condition.dyes` and amount of each dye."""
    grain: int = CYTOPLASM
    contrast: float = 0.0
    """Of the texture: deviation of the amount."""
    dome: float = 0.0
    """Share of the amount that is less towards the outline, 0-1."""
    rim: float = 0.0
    """How much more there is along the outline, of which there must be one, as a share."""
    clears: float = 0.0
    """Share of the dye of the layers below that is missing here, 0-1."""
    soft: float = 0.0
    """Deviation by which the outline is smeared."""
    line: float = 0.0
    """Not 0: the outlines are open lines of this width."""


@dataclass(frozen=True)
class Cell:
    """One cell, or a piece of debris."""

    layers: tuple[Layer, ...]
    """Of three dyes at most."""
    type: int = 0
    """Number of the type of its nucleus; 0 where it has none."""
    nucleus: Floats | None = None
    """Outline (V, 2) of the nucleus."""


def superficial(random: Random, x: float, y: float) -> Cell:
    """A mature squamous cell: large, thin, pink to orange, with a shrunken dark nucleus."""
    nucleus = _nucleus(random, x, y, random.uniform(15, 27), 0.02)
    orange = random.random() < 0.25
    dyes = ((EOSIN, random.uniform(0.08, 0.12)), (ORANGE, 0.3)) if orange else ((EOSIN, random.uniform(0.24, 0.5)),)
    body = _squamous(random, x, y, random.uniform(42, 57), dyes)
    return Cell((*body, _stained(nucleus, random.uniform(0.85, 1.3), FINE, 0.08, 0.1)), NORMAL, nucleus)


def intermediate(random: Random, x: float, y: float) -> Cell:
    """A squamous cell: large, thin, blue-green, with a vesicular nucleus; now and then a reactive, larger one."""
    area = NORMAL_AREA * (random.uniform(1.2, 1.75) if random.random() < 0.06 else random.uniform(0.75, 1.25))
    nucleus = _nucleus(random, x, y, area, 0.03)
    body = _squamous(random, x, y, random.uniform(37, 53), _cyanophilic(random, 0.16, 0.38))
    return Cell((*body, _stained(nucleus, random.uniform(0.42, 0.72), FINE, 0.16, 0.4)), NORMAL, nucleus)


def parabasal(random: Random, x: float, y: float) -> Cell:
    """A small round cell with dense cytoplasm, but a regular nucleus."""
    nucleus = _nucleus(random, x, y, NORMAL_AREA * random.uniform(0.85, 1.3), 0.03)
    outline = _wavy(random, x, y, random.uniform(8, 12), 0.07) + _several(random, -1, 1, 2)
    body = Layer(outline, _cyanophilic(random, 0.3, 0.55), CYTOPLASM, 0.08, 0.2, 0.2, soft=0.3)
    return Cell((body, _stained(nucleus, random.uniform(0.5, 0.8), FINE, 0.16, 0.35)), NORMAL, nucleus)


def pyknotic(random: Random, x: float, y: float) -> Cell:
    """A dead cell's bare nucleus: dark, smudged, without texture."""
    nucleus = _nucleus(random, x, y, random.uniform(18, 48), 0.08)
    shred = Layer(_wavy(random, x, y, random.uniform(4, 8), 0.2), _cyanophilic(random, 0.1, 0.3), soft=1.0)
    return Cell((shred, _stained(nucleus, random.uniform(0.9, 1.5), FINE, 0.04, 0.0, 0.35)), NORMAL, nucleus)


def neutrophil(random: Random, x: float, y: float) -> Cell:
    """A granulocyte: two to four dark lobes on an arc; its nucleus is the hull of these."""
    number, turn, way = random.randrange(2, 5), random.uniform(0, 2 * np.pi), random.uniform(1.7, 2.4)
    turns = turn + np.arange(number) * random.uniform(1.2, 1.7)
    centres = np.stack([x + way * np.cos(turns), y + way * np.sin(turns)], axis=1)
    lobes = np.stack([_wavy(random, cx, cy, random.uniform(1.5, 2.2), 0.12) for cx, cy in centres.tolist()])
    nucleus = _stained(lobes, random.uniform(1.0, 1.5), FINE, 0.06, 0.0)
    body = Layer(_wavy(random, x, y, random.uniform(4.5, 6), 0.08), _cyanophilic(random, 0.06, 0.18), soft=0.4)
    return Cell((body, nucleus), NEUTROPHIL, _hull(lobes.reshape(-1, 2)))


def ascus(random: Random, x: float, y: float) -> Cell:
    """An atypical squamous cell: nucleus 2.4 to 3.1 times the normal area, a little dark."""
    nucleus = _nucleus(random, x, y, NORMAL_AREA * random.uniform(2.4, 3.1), 0.05)
    dyes = _cyanophilic(random, 0.16, 0.38) if random.random() < 0.7 else ((EOSIN, random.uniform(0.22, 0.42)),)
    body = _squamous(random, x, y, random.uniform(40, 55), dyes)
    grain = CLUMPS if random.random() < 0.3 else FINE
    return Cell((*body, _stained(nucleus, random.uniform(0.6, 0.9), grain, 0.18, 0.4)), ASCUS, nucleus)


def lsil(random: Random, x: float, y: float) -> Cell:
    """A low-grade lesion cell: large, its nucleus over 3 times the normal area, dark, irregular, often in a halo."""
    nucleus = _nucleus(random, x, y, NORMAL_AREA * random.uniform(3.0, 5.0), 0.09)
    dyes = _cyanophilic(random, 0.22, 0.45) if random.random() < 0.6 else ((EOSIN, random.uniform(0.28, 0.5)),)
    body = _squamous(random, x, y, random.uniform(48, 64), dyes)
    if random.random() < 0.75:
        # Koilocytosis: a cleared zone with a condensed border.
        hollow = _wavy(random, x, y, random.uniform(12.5, 16), 0.12) + _several(random, -2, 2, 2)
        condensed = tuple((dye, 0.55 * amount) for dye, amount in dyes)
        body = (
            *body,
            Layer(hollow, condensed, rim=1.0, soft=0.8),
            Layer(hollow, (), clears=random.uniform(0.55, 0.85), soft=0.5),
        )
    return Cell((*body, _stained(nucleus, random.uniform(0.85, 1.25), CLUMPS, 0.26, 0.35)), LSIL, nucleus)


def hsil(random: Random, x: float, y: float) -> Cell:
    """A high-grade lesion cell: small, about half of it a very dark, irregular nucleus."""
    radius = random.uniform(6.6, 9.2)
    nucleus = _nucleus(random, x, y, np.pi * radius**2 * random.uniform(0.4, 0.62), 0.14, random.uniform(1.0, 1.4))
    orange = random.random() < 0.12
    dyes = ((ORANGE, 0.4), (EOSIN, 0.2)) if orange else _cyanophilic(random, 0.3, 0.6)
    # The cell follows its nucleus, or parts of that would lie bare.
    ratio = radius / np.sqrt(_area(nucleus) / np.pi)
    further = np.maximum(ratio * np.linalg.norm(_wavy(random, 0, 0, 1.0, 0.12), axis=1), 1.1)
    around = (x, y) + further[:, None] * (nucleus - (x, y))
    body = Layer(around + _several(random, -0.7, 0.7, 2), dyes, CYTOPLASM, 0.1, 0.1, 0.2, soft=0.3)
    return Cell((body, _stained(nucleus, random.uniform(1.05, 1.6), CLUMPS, 0.28, 0.25)), HSIL, nucleus)


def debris(random: Random, x: float, y: float) -> Cell:
    """A jagged speck of any colour; the larger ones can be as large and dark as a nucleus."""
    radius = float(np.exp(random.uniform(np.log(0.7), np.log(8.0))))
    turns = np.sort(_several(random, 0, 2 * np.pi, random.randrange(5, 11)))
    spokes = radius * _several(random, 0.35, 1.15, len(turns))
    outline = np.stack([x + spokes * np.cos(turns), y + spokes * np.sin(turns)], axis=1)
    dye = random.choice((BROWN, NUCLEAR, CYANOPHIL, NUCLEAR))
    amount = float(np.exp(random.uniform(np.log(0.2), np.log(1.5))))
    grain = random.choice((CYTOPLASM, CLUMPS))
    return Cell((Layer(outline, ((dye, amount),), grain, random.uniform(0.05, 0.4), soft=random.uniform(0.1, 0.7)),))


def mucus(random: Random, x: float, y: float) -> Cell:
    """A pale wisp, drawn out to a bent strand."""
    along = np.linspace(-1, 1, 14)
    length, width = random.uniform(18, 52), random.uniform(2, 9)
    bend = random.uniform(-14, 14) * along**2 + random.uniform(-7, 7) * np.sin(3 * along + random.uniform(0, 6))
    half = width * np.sqrt(1 - 0.98 * along**2) * _several(random, 0.4, 1.0, 2 * len(along)).reshape(2, -1)
    across = np.concatenate([bend - half[0], (bend + half[1])[::-1]])
    along = np.concatenate([along, along[::-1]]) * length
    turn = random.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    outline = np.stack([x + c * along - s * across, y + s * along + c * across], axis=1)
    dyes = ((CYANOPHIL, random.uniform(0.04, 0.14)), (NUCLEAR, random.uniform(0.0, 0.06)))
    return Cell((Layer(outline, dyes, STREAKS, 0.45, 0.2, soft=1.6),))


Builder = Callable[[Random, float, float], Cell]

BUILDERS: dict[str, tuple[Builder, float]] = {
    "superficial": (superficial, 38.0),
    "intermediate": (intermediate, 36.0),
    "parabasal": (parabasal, 18.0),
    "pyknotic": (pyknotic, 17.0),
    "neutrophil": (neutrophil, 9.0),
    "debris": (debris, 12.0),
    "mucus": (mucus, 66.0),
    "ascus": (ascus, 37.0),
    "lsil": (lsil, 42.0),
    "hsil": (hsil, 23.0),
}
"""What draws each kind, and how far from its place it may reach when in focus, µm."""


def _stained(outline: Floats, amount: float, grain: int, contrast: float, rim: float, soft: float = 0.0) -> Layer:
    return Layer(outline, ((NUCLEAR, amount),), grain, contrast, 0.12, rim, soft=soft)


def _cyanophilic(random: Random, low: float, high: float) -> tuple[tuple[int, float], ...]:
    amount = random.uniform(low, high)
    return (CYANOPHIL, amount), (EOSIN, amount * random.uniform(0.0, 0.25))


def _squamous(
    random: Random, x: float, y: float, diameter: float, dyes: tuple[tuple[int, float], ...]
) -> tuple[Layer, ...]:
    """A flat polygonal body, not quite around its nucleus, with up to three folds."""
    radius = diameter / 2
    number = random.randrange(5, 9)
    turns = (np.arange(number) + _several(random, -0.28, 0.28, number)) * 2 * np.pi / number + random.uniform(0, 6)
    spokes = radius * _several(random, 0.82, 1.12, number)
    corners = np.stack([spokes * np.cos(turns), spokes * np.sin(turns) * random.uniform(0.78, 1.0)], axis=1)
    corners += (x, y) + _several(random, -0.14, 0.14, 2) * radius
    outline = _rounded(_rounded(corners, 0.1), 0.25)
    body = Layer(outline, dyes, CYTOPLASM, 0.16, random.uniform(0.2, 0.5), random.uniform(0.1, 0.5), soft=0.25)
    folds = random.randrange(4)
    return (body, _creased(random, corners, dyes, folds)) if folds else (body,)


def _creased(random: Random, corners: Floats, dyes: tuple[tuple[int, float], ...], number: int) -> Layer:
    """That many folds of a body with these corners."""
    share = random.uniform(0.25, 0.7)
    thin = tuple((dye, share * amount) for dye, amount in dyes)
    middle = corners.mean(axis=0)
    folds = np.stack([_fold(random, corners, middle) for _ in range(number)])
    return Layer(folds, thin, soft=0.3, line=random.uniform(0.5, 1.3))


def _fold(random: Random, corners: Floats, middle: Floats) -> Floats:
    """A line (3, 2) that cuts off a corner."""
    k = random.randrange(len(corners))
    corner = corners[k]
    # Pulled inwards, so that no crease leaves the cell.
    before, after = (
        middle + 0.86 * (corner - middle + random.uniform(0.35, 0.9) * (corners[m % len(corners)] - corner))
        for m in (k - 1, k + 1)
    )
    return np.array([before, (before + after) / 2 + random.uniform(0.01, 0.1) * (middle - corner), after])


def _nucleus(random: Random, x: float, y: float, area: float, wobble: float, stretch: float = 0.0) -> Floats:
    """Outline of exactly this area."""
    outline = _wavy(random, 0, 0, 1.0, wobble) * (1, 1 / (stretch or random.uniform(1.0, 1.3)))
    turn = random.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(outline @ np.array([[c, s], [-s, c]]) * np.sqrt(area / _area(outline)) + (x, y))


def _wavy(random: Random, x: float, y: float, radius: float, wobble: float) -> Floats:
    """A circle whose radius varies by about the share `wobble`, less from wave to wave."""
    share = wobble * _several(random, 0.3, 1.0, len(_WAVES)) * 2 / _WAVES
    phase = _several(random, 0, 2 * np.pi, len(_WAVES))
    waves = (share * np.cos(phase))[:, None] * _COSINES + (share * np.sin(phase))[:, None] * _SINES
    return _CIRCLE * (radius * (1 + waves.sum(axis=0)))[:, None] + (x, y)


def _several(random: Random, low: float, high: float, number: int) -> Floats:
    return low + (high - low) * np.array([random.random() for _ in range(number)])


def _rounded(polygon: Floats, cut: float) -> Floats:
    """Each corner cut off at this share of its sides (Chaikin 1974)."""
    after = np.concatenate([polygon[1:], polygon[:1]])
    pairs = np.stack([(1 - cut) * polygon + cut * after, cut * polygon + (1 - cut) * after], axis=1)
    return pairs.reshape(-1, 2)


def _area(polygon: Floats) -> float:
    x, y = polygon.T
    return abs(float(x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0])) / 2


def _hull(points: Floats) -> Floats:
    """About the convex hull of points (N, 2): those farthest out in each direction, in order of angle."""
    middle = points.mean(axis=0)
    extreme = ((points - middle) @ _CIRCLE.T).argmax(axis=0)
    kept = extreme[np.nonzero(np.diff(extreme, prepend=extreme[-1]))[0]]
    return np.asarray(points[kept])
