"""What a slide of kind "spread" holds: where its primary lies and where it spreads to; chosen by its seed."""

from typing import Literal, NamedTuple

import numpy as np

from histoserve.phantom.lesion.growth import STYLES
from histoserve.phantom.lesion.slide import LesionSlide
from histoserve.phantom.lesion.tissue import Follicle, LesionTissue
from histoserve.phantom.spread.scatter import Scatter

Pattern = Literal["directed", "even", "none"]
PATTERNS: tuple[Pattern, ...] = ("directed", "even", "none")
_UNDIRECTED = 0.1
"""Share of the slides that spread evenly, and of those that do not spread."""

_CHANNEL = 1950
_MIDDLE = (0.38, 0.62)
"""The primary lies in this part of the slide, across and down: there is room to all sides."""

_TRIES = 200
_CERTAIN = 1500.0
"""A primary on a slide of this side, µm, holds cells for certain."""


class Chosen(NamedTuple):
    """By the seed alone, each number apart from the others; lengths in parts of the slide's shorter side."""

    pattern: Pattern
    style: str
    angle: float
    radius: float
    reach: float
    most: float
    focus: float
    lymph_turn: float
    lymph_radius: float


def spread_slide(
    size: tuple[int, int], mpp: float, seed: int, *, pattern: str | None = None, stains: str = "training"
) -> LesionSlide:
    """The slide of a seed (width, height in pixels; µm per pixel), of the pattern the seed draws or the one asked for.

    `stains` names one of `lesion.stains.RANGES`. ValueError for a pattern or range that there is not.
    A slide without room for a lesion cell is normal and has no spread.
    """
    if pattern not in (None, *PATTERNS):
        raise ValueError(f"no pattern of spread is called {pattern!r}: choose one of {', '.join(PATTERNS)}")
    chosen = choose(seed)
    pattern = pattern or chosen.pattern
    tissue = LesionTissue(seed, (size[0] * mpp, size[1] * mpp))
    side = min(tissue.size_um)
    x, y = _primary(tissue)
    turn = chosen.angle + chosen.lymph_turn
    away = (chosen.radius + 0.6 * chosen.reach) * side
    tissue.follicle = Follicle(x + away * np.cos(turn), y + away * np.sin(turn), chosen.lymph_radius * side)
    scatter = Scatter(
        seed,
        STYLES[chosen.style],
        *(x, y, chosen.radius * side, chosen.angle),
        focus=chosen.focus if pattern == "directed" else 0.0,
        most=0.0 if pattern == "none" else chosen.most,
        reach=chosen.reach * side,
    )
    tissue.plant(scatter)
    direction = [round(float(f(chosen.angle)), 4) for f in (np.cos, np.sin)] if pattern == "directed" else None
    facts: dict[str, object] = {
        "class": chosen.style,
        "pattern": pattern,
        "direction": direction,
        "primary": [round(x / mpp, 1), round(y / mpp, 1)],
        "stains": stains,
    }
    slide = LesionSlide(tissue, size, mpp, dyes=stains, facts=facts)
    if side < _CERTAIN and not slide.holds_lesion():
        facts |= {"class": "normal", "pattern": "none", "direction": None}
    return slide


def choose(seed: int) -> Chosen:
    """What the seed chooses."""
    random = np.random.default_rng((seed, _CHANNEL))
    drawn = random.random()
    undirected: Pattern = "even" if drawn < _UNDIRECTED else "none"
    return Chosen(
        pattern="directed" if drawn >= 2 * _UNDIRECTED else undirected,
        style=list(STYLES)[int(random.integers(len(STYLES)))],
        angle=random.uniform(-np.pi, np.pi),
        radius=random.uniform(0.12, 0.17),
        reach=random.uniform(0.22, 0.32),
        most=random.uniform(0.28, 0.45),
        focus=random.uniform(2.5, 4.0),
        lymph_turn=random.uniform(np.pi / 2, 3 * np.pi / 2),
        lymph_radius=random.uniform(0.05, 0.09),
    )


def _primary(tissue: LesionTissue) -> tuple[float, float]:
    """A place in the middle of the slide, in tissue if any is found there."""
    random = np.random.default_rng((tissue.seed, _CHANNEL, 1))
    places = random.uniform(*_MIDDLE, (_TRIES, 2)) * tissue.size_um
    deep = tissue.inside(places[:, 0], places[:, 1]) > 60
    x, y = places[int(np.argmax(deep))]
    return float(x), float(y)
