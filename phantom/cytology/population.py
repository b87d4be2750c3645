"""What lies where on a smear: cells, sheets and clumps of them, debris and mucus; decided per cell of a square lattice.

Lengths are µm from the slide's top left corner.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from histoserve.phantom.cytology.cells import BUILDERS
from histoserve.phantom.cytology.diagnosis import MARGIN, TYPES, Site
from histoserve.phantom.cytology.waves import height, waves

PITCH = 128.0
"""Side of a lattice cell."""

REACH = 45.0
"""How far from the lattice cell that owns them the members of a sheet or clump may have their place."""

_CHANNEL = 302
_OF_LATTICE, _OF_LESIONS = 0, 1
_APART = 13.0
"""Nothing else has its place so near to a lesion cell's: it may be overlapped, but not buried."""

_BARE = ("debris", "mucus")
"""Kinds without a nucleus, which may lie across the edge."""


class Group(NamedTuple):
    """Cells that lie together."""

    kind: str
    numbers: tuple[int, int]
    """Fewest, and one more than most."""
    spacing: float


_GROUPS = {
    "pink sheet": Group("superficial", (3, 7), 33.0),
    "blue sheet": Group("intermediate", (3, 8), 31.0),
    "neutrophils": Group("neutrophil", (4, 22), 9.0),
    "dead cells": Group("pyknotic", (2, 8), 6.5),
}


class Item(NamedTuple):
    """One thing on the slide: its kind (key of BUILDERS), its place, and the key of its random numbers."""

    kind: str
    x: float
    y: float
    key: tuple[int, int, int, int]


class Population:
    """All that lies on one slide (width, height in µm), with these lesion cells."""

    def __init__(self, seed: int, size_um: tuple[float, float], lesions: list[Site]) -> None:
        self._seed = seed
        self._size = size_um
        self._lesions = lesions
        random = np.random.default_rng((seed, _CHANNEL))
        self._waves = waves(random, 3, 350, 1500)
        squamous = random.uniform(2.5, 6.5)
        pink, parabasal, pink_sheets = random.uniform((0.15, 0.01, 0.05), (0.65, 0.06, 0.3))
        sheets = random.uniform(0.02, 0.12)
        self._rates = {
            "superficial": squamous * pink * (1 - parabasal),
            "intermediate": squamous * (1 - pink) * (1 - parabasal),
            "parabasal": squamous * parabasal,
            "pink sheet": sheets * pink_sheets,
            "blue sheet": sheets * (1 - pink_sheets),
            "neutrophil": random.uniform(0.2, 3.0),
            "neutrophils": random.uniform(0.02, 0.15),
            "dead cells": random.uniform(0.02, 0.12),
            "debris": random.uniform(0.4, 4.0),
            "mucus": random.uniform(0.0, 0.25),
        }
        """How many of each a lattice cell owns on average."""
        self.owned = lru_cache(maxsize=4096)(self._owned)

    def near(self, x: tuple[float, float], y: tuple[float, float]) -> list[Item]:
        """All whose outlines may reach into the box."""
        farthest = REACH + max(reach for _, reach in BUILDERS.values())
        spans = [range(*self._span(axis, farthest, k)) for k, axis in enumerate((x, y))]
        return [
            item
            for i in spans[1]
            for j in spans[0]
            for item in self.owned(i, j)
            if x[0] - BUILDERS[item.kind][1] < item.x < x[1] + BUILDERS[item.kind][1]
            and y[0] - BUILDERS[item.kind][1] < item.y < y[1] + BUILDERS[item.kind][1]
        ]

    def lattice(self) -> tuple[int, int]:
        """Columns and rows of lattice cells."""
        return int(np.ceil(self._size[0] / PITCH)), int(np.ceil(self._size[1] / PITCH))

    def _span(self, axis: tuple[float, float], margin: float, k: int) -> tuple[int, int]:
        first = max(int((axis[0] - margin) // PITCH), 0)
        return first, min(int((axis[1] + margin) // PITCH) + 1, self.lattice()[k])

    def _owned(self, i: int, j: int) -> list[Item]:
        """What the lattice cell in row i and column j owns, by y and x."""
        here = [
            Item(TYPES[site.type - 1], site.x, site.y, (_OF_LESIONS, 0, 0, number))
            for number, site in enumerate(self._lesions)
            if (site.y // PITCH, site.x // PITCH) == (i, j)
        ]
        reach = REACH + _APART
        near = [
            s
            for s in self._lesions
            if -reach < s.x - j * PITCH < PITCH + reach and -reach < s.y - i * PITCH < PITCH + reach
        ]
        scattered = self._scattered(np.random.default_rng((self._seed, _CHANNEL, i, j)), i, j)
        benign = [Item(kind, x, y, (_OF_LATTICE, i, j, number)) for number, (kind, x, y) in enumerate(scattered)]
        found = here + [item for item in benign if self._is_on_slide(item) and not _buries(item, near)]
        return sorted(found, key=lambda item: (item.y, item.x))

    def _is_on_slide(self, item: Item) -> bool:
        margin = 0.0 if item.kind in _BARE else MARGIN
        return all(margin <= v <= n - margin for v, n in zip((item.x, item.y), self._size, strict=True))

    def _scattered(self, random: np.random.Generator, i: int, j: int) -> list[tuple[str, float, float]]:
        """Kinds and places of the benign ones."""
        at = np.array([j, i]) * PITCH
        swell = height(self._waves, (j + 0.5) * PITCH, (i + 0.5) * PITCH)
        crowding = min(max(1 + 1.3 * swell, 0.1), 2.2)
        names, rates = zip(*self._rates.items(), strict=True)
        numbers = random.poisson(np.array(rates) * crowding)
        kinds = [name for name, number in zip(names, numbers, strict=True) for _ in range(number)]
        places = (at + random.random((len(kinds), 2)) * PITCH).tolist()
        found: list[tuple[str, float, float]] = []
        for kind, (x, y) in zip(kinds, places, strict=True):
            if kind in _GROUPS:
                found += _group(random, _GROUPS[kind], x, y)
            else:
                found.append((kind, x, y))
        return found


def _buries(item: Item, lesions: list[Site]) -> bool:
    return any(abs(item.x - site.x) + abs(item.y - site.y) < _APART for site in lesions)


def _group(random: np.random.Generator, group: Group, x: float, y: float) -> list[tuple[str, float, float]]:
    """Neighbours of a jittered hexagonal pattern, from the middle outwards."""
    k = np.arange(-3, 4)
    rows, columns = (grid.ravel() for grid in np.meshgrid(k, k, indexing="ij"))
    spots = np.stack([columns + 0.5 * (rows % 2), rows * 0.87], axis=1) * group.spacing
    spots += random.uniform(-0.2, 0.2, spots.shape) * group.spacing
    far = np.hypot(spots[:, 0], spots[:, 1])
    nearest = np.argsort(far, kind="stable")[: random.integers(*group.numbers)]
    return [(group.kind, x + float(spots[k, 0]), y + float(spots[k, 1])) for k in nearest if far[k] < REACH]
