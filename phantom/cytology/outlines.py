"""Outlines of cells and nuclei: polygons (V, 2) around a place, drawn at random. Lengths are µm, areas µm²."""

from random import Random

import numpy as np

from histoserve.phantom.noise import Floats

_TURNS = np.arange(40) * 2 * np.pi / 40
_WAVES = np.arange(2, 8)
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)
_COSINES, _SINES = np.cos(_WAVES[:, None] * _TURNS), np.sin(_WAVES[:, None] * _TURNS)


def several(random: Random, low: float, high: float, number: int) -> Floats:
    return low + (high - low) * np.array([random.random() for _ in range(number)])


def wavy(random: Random, x: float, y: float, radius: float, wobble: float) -> Floats:
    """A circle whose radius varies by about the share `wobble`, less from wave to wave."""
    share = wobble * several(random, 0.3, 1.0, len(_WAVES)) * 2 / _WAVES
    phase = several(random, 0, 2 * np.pi, len(_WAVES))
    waves = (share * np.cos(phase))[:, None] * _COSINES + (share * np.sin(phase))[:, None] * _SINES
    return _CIRCLE * (radius * (1 + waves.sum(axis=0)))[:, None] + (x, y)


def of_area(random: Random, x: float, y: float, area: float, wobble: float, stretch: float = 0.0) -> Floats:
    """Outline of exactly this area."""
    outline = wavy(random, 0, 0, 1.0, wobble) * (1, 1 / (stretch or random.uniform(1.0, 1.3)))
    turn = random.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    return np.asarray(outline @ np.array([[c, s], [-s, c]]) * np.sqrt(area / area_of(outline)) + (x, y))


def rounded(polygon: Floats, cut: float) -> Floats:
    """Each corner cut off at this share of its sides (Chaikin 1974)."""
    after = np.concatenate([polygon[1:], polygon[:1]])
    pairs = np.stack([(1 - cut) * polygon + cut * after, cut * polygon + (1 - cut) * after], axis=1)
    return pairs.reshape(-1, 2)


def area_of(polygon: Floats) -> float:
    x, y = polygon.T
    return abs(float(x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0])) / 2


def hull(points: Floats) -> Floats:
    """About the convex hull of points (N, 2): those farthest out in each direction, in order of angle."""
    middle = points.mean(axis=0)
    extreme = ((points - middle) @ _CIRCLE.T).argmax(axis=0)
    kept = extreme[np.nonzero(np.diff(extreme, prepend=extreme[-1]))[0]]
    return np.asarray(points[kept])
