"""A Papanicolaou smear, drawn wherever it is asked for; the slide's class follows from the cells on it.

seed -> lesion cells, population, conditions -> sprites near the frame, added up -> colour -> sensor noise
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.cytology.cells import BUILDERS, Cell
from histoserve.phantom.cytology.condition import condition
from histoserve.phantom.cytology.diagnosis import TYPES, class_of, counts_of, lesions
from histoserve.phantom.cytology.population import Item, Population
from histoserve.phantom.cytology.sprites import PER_UNIT, Sprite, sprite
from histoserve.phantom.drawing import Frame, TrueObject
from histoserve.phantom.sensor import Sensor

_DEEP = 0.3
"""Cells lie at different depths: up to this much is added to the deviation of the point spread, µm."""

_BLURRED, _ROUNDED = 4.0, 3
"""No sprite extends farther beyond the reach of its kind: µm, for the focus, and pixels on top."""

_CACHE = 64 * 2**20
"""Bytes of sprites that are kept."""

_STEPS = 4096


class Lesion(NamedTuple):
    """A lesion cell: centre of its nucleus in level-0 pixels, and its type's name."""

    x: float
    y: float
    type: str


class Smear:
    """The drawing of kind "cytology": see `drawing.Drawing`."""

    types: tuple[str, ...] = TYPES

    def __init__(self, size: tuple[int, int], mpp: float, seed: int, slide_class: str | None = None) -> None:
        self._size = size
        self._mpp = mpp
        self._seed = seed
        size_um = (size[0] * mpp, size[1] * mpp)
        sites = lesions(seed, size_um, slide_class)
        kinds = [site.type for site in sites]
        self.slide_class = class_of(kinds)
        """Negative, low_grade or high_grade."""
        self.lesions = tuple(Lesion(site.x / mpp, site.y / mpp, TYPES[site.type - 1]) for site in sites)
        """Every lesion cell on the slide."""
        self.facts: Mapping[str, object] = {"class": self.slide_class, "counts": counts_of(kinds)}
        self._population = Population(seed, size_um, sites)
        self._condition = condition(seed)
        self._sensor = Sensor(seed, self._condition.deviation, bank=0)
        density = np.arange(_STEPS)[:, None] / PER_UNIT
        self._colours = np.rint(self._condition.lamp * np.exp(-density)).astype(np.uint8)
        self._sprite = lru_cache(maxsize=max(32, int(_CACHE / (6 * (50 / mpp + 4) ** 2))))(self._sprite_of)

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """RGB (h, w, 3) of the frame, which may extend beyond the slide."""
        x, y, width, height = frame
        density = np.zeros((height, width, 3), np.uint16)
        margin = _BLURRED + _ROUNDED * self._mpp
        spans = [(a * self._mpp - margin, (a + n) * self._mpp + margin) for a, n in ((x, width), (y, height))]
        for item in self._population.near(spans[0], spans[1]):
            _add(density, self._sprite(item), x, y)
        np.minimum(density, _STEPS - 1, out=density)
        image = np.empty(density.shape, np.uint8)
        for k in range(3):
            image[:, :, k] = self._colours[:, k].take(density[:, :, k])
        return self._sensor.exposed(image, frame)

    def objects(self) -> Iterator[TrueObject]:
        """All nuclei, by rows of the lattice that the slide is populated by; those of overlapping cells may overlap."""
        columns, rows = self._population.lattice()
        for i in range(rows):
            for j in range(columns):
                for cell, _ in map(self._drawn_by, self._population.owned(i, j)):
                    if cell.nucleus is not None:
                        yield TrueObject(cell.type, np.round(cell.nucleus / self._mpp, 3))

    def _drawn_by(self, item: Item) -> tuple[Cell, Random]:
        """The cell, and its random numbers where the outlines left them."""
        random = Random(repr((self._seed, item.key)))
        build, _ = BUILDERS[item.kind]
        return build(random, item.x, item.y), random

    def _sprite_of(self, item: Item) -> Sprite:
        cell, random = self._drawn_by(item)
        blur = self._condition.blur_at(item.x, item.y) + _DEEP * random.random() ** 2
        return sprite(cell, self._condition.dyes, blur, self._mpp, random)


def smear(seed: int, size: tuple[int, int], mpp: float, slide_class: str | None = None) -> Smear:
    """The slide of a seed (width, height in pixels; µm per pixel), of the class the seed draws or the one asked for."""
    return Smear(size, mpp, seed, slide_class)


def _add(density: NDArray[np.uint16], one: Sprite, x: int, y: int) -> None:
    """Add the part of a sprite that lies within the frame with its corner at x, y."""
    height, width = density.shape[:2]
    left, top = one.left - x, one.top - y
    rows = slice(max(top, 0), min(top + one.density.shape[0], height))
    columns = slice(max(left, 0), min(left + one.density.shape[1], width))
    if rows.start < rows.stop and columns.start < columns.stop:
        part = one.density[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        density[rows, columns] += part
