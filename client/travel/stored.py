"""A level's tiles as the scanner's software stored them: JPEGs that travel as they are, without being decoded."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from histoserve.client.errors import SlideError
from histoserve.client.grid import Rectangle

Place = tuple[int, int]
"""Column and row of a stored tile."""


class NotStored(SlideError):
    """A tile that has no JPEG of its own, or none that can travel alone."""


@dataclass(frozen=True)
class Lattice:
    """Tiles of one size, side by side from the level's upper left corner."""

    size: tuple[int, int]
    """(width, height) of the level in its own pixels."""
    tile: tuple[int, int]
    """(width, height) of a tile; the last ones exceed the level."""
    downsample: int = 1
    """Level-0 px per pixel of the level."""

    @property
    def columns(self) -> int:
        """How many tiles there are across."""
        return math.ceil(self.size[0] / self.tile[0])

    @property
    def rows(self) -> int:
        """And down."""
        return math.ceil(self.size[1] / self.tile[1])

    def l0_region(self, place: Place) -> Rectangle:
        """What a tile shows, beyond the level's end too."""
        (width, height), step = self.tile, self.downsample
        return place[0] * width * step, place[1] * height * step, width * step, height * step

    def inside(self, l0_region: Rectangle) -> bool:
        """Whether it consists of whole pixels of the level."""
        if any(each % self.downsample for each in l0_region):
            return False
        x, y, width, height = (each // self.downsample for each in l0_region)
        return min(x, y) >= 0 and x + width <= self.size[0] and y + height <= self.size[1]

    def places_in(self, l0_region: Rectangle) -> Iterator[Place]:
        """The tiles that show a part of it, by rows."""
        x, y, width, height = (each / self.downsample for each in l0_region)
        columns = range(max(0, int(x // self.tile[0])), min(self.columns, math.ceil((x + width) / self.tile[0])))
        rows = range(max(0, int(y // self.tile[1])), min(self.rows, math.ceil((y + height) / self.tile[1])))
        return ((column, row) for row in rows for column in columns)


class StoredTiles(ABC):
    """Of one level; several threads may ask at a time."""

    def __init__(self, lattice: Lattice):
        self.lattice = lattice

    @abstractmethod
    def jpeg(self, place: Place) -> bytes:
        """Whole and alone, with every table that its picture needs; raises NotStored."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file; no thread may be asking."""
