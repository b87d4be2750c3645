"""What a smear shows: which lesion cells lie where, and the class of the slide that follows from them."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

TYPES = ("normal", "neutrophil", "ascus", "lsil", "hsil")
"""Names of the types of nuclei 1 to 5."""

NORMAL, NEUTROPHIL, ASCUS, LSIL, HSIL = range(1, 6)
LESION_TYPES = TYPES[2:]
CLASSES = ("negative", "low_grade", "high_grade")

FEWEST, MOST = 3, 60
"""Lesion cells on a slide that is not negative; the logarithm of their number is spread evenly."""

MARGIN = 12.0
"""No nucleus has its centre nearer to the slide's edge, µm: all lie on the slide in full."""

_ROOM = 2500.0
"""Area that a slide needs for each lesion cell, µm²."""

_CHANNEL = 300
_GROUPED = {ASCUS: 0.2, LSIL: 0.3, HSIL: 0.5}
"""Share of the cells that lie beside the one before."""

_SPACE = {ASCUS: 17.0, LSIL: 20.0, HSIL: 7.5}
"""Half the distance that two nuclei of a type keep, µm."""

_TRIES = 200


class Site(NamedTuple):
    """Where the nucleus of a lesion cell has its centre, µm."""

    x: float
    y: float
    type: int


def class_of(types: Iterable[int]) -> str:
    """Class of a slide that holds lesion cells of these types."""
    found = set(types)
    if HSIL in found:
        return "high_grade"
    return "low_grade" if found & {ASCUS, LSIL} else "negative"


def counts_of(types: Iterable[int]) -> dict[str, int]:
    """Number of lesion cells by the name of their type."""
    found = Counter(types)
    return {name: found[TYPES.index(name) + 1] for name in LESION_TYPES}


def lesions(seed: int, size_um: tuple[float, float], slide_class: str | None = None) -> list[Site]:
    """The lesion cells of a slide (width, height in µm), of a class that is left to the seed or asked for.

    A slide without room for FEWEST cells is negative. ValueError where another class is asked for, or one that is none.
    """
    random = np.random.default_rng((seed, _CHANNEL))
    drawn = CLASSES[int(random.random() * len(CLASSES))]
    if slide_class not in (None, *CLASSES):
        raise ValueError(f"no class of slide is called {slide_class!r}: choose one of {', '.join(CLASSES)}")
    number = int(np.exp(random.uniform(np.log(FEWEST), np.log(MOST + 1))))
    width, height = (max(length - 2 * MARGIN, 0.0) for length in size_um)
    room = int(width * height / _ROOM)
    if room < FEWEST:
        if slide_class not in (None, "negative"):
            raise ValueError(
                f"a {slide_class} slide needs room for {FEWEST} lesion cells, but {size_um[0]:.0f} x {size_um[1]:.0f} "
                f"µm have room for {room}: ask for a larger slide"
            )
        return []
    types = _types(random, slide_class or drawn, min(number, room))
    return _placed(random, types, size_um)


def _types(random: np.random.Generator, slide_class: str, number: int) -> list[int]:
    if slide_class == "negative":
        return []
    high = 0
    if slide_class == "high_grade":
        high = min(max(FEWEST, round(number * random.uniform(0.3, 1.2))), number)
    pure = random.random()
    share = 0.0 if pure < 0.25 else 1.0 if pure < 0.5 else random.uniform(0.2, 0.8)
    low = np.where(random.random(number - high) < share, LSIL, ASCUS)
    return [HSIL] * high + sorted(low.tolist())


def _placed(random: np.random.Generator, types: list[int], size_um: tuple[float, float]) -> list[Site]:
    """Sites that keep their distance where that can be had in reasonable time."""
    sites: list[Site] = []
    for kind in types:
        beside = bool(sites) and sites[-1].type == kind and random.random() < _GROUPED[kind]
        for _ in range(_TRIES):
            site = _tried(random, kind, size_um, sites[-1] if beside else None)
            if all(_is_apart(site, other) for other in sites):
                break
            beside = beside and random.random() < 0.9
        sites.append(site)
    return sites


def _tried(random: np.random.Generator, kind: int, size_um: tuple[float, float], neighbour: Site | None) -> Site:
    upper = np.array(size_um) - MARGIN
    if neighbour is None:
        x, y = random.uniform(MARGIN, upper)
    else:
        turn, way = random.uniform(0, 2 * np.pi), _SPACE[kind] * random.uniform(2.0, 4.0)
        around = neighbour.x + way * np.cos(turn), neighbour.y + way * np.sin(turn)
        x, y = np.clip(around, MARGIN, upper)
    return Site(float(x), float(y), kind)


def _is_apart(one: Site, other: Site) -> bool:
    return bool(np.hypot(one.x - other.x, one.y - other.y) >= _SPACE[one.type] + _SPACE[other.type])
