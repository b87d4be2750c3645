"""A level's tiles as the scanner's software stored them: JPEGs that travel as they are, without being decoded."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

from histoserve.client.errors import SlideError
from histoserve.client.grid import Rectangle

Place = tuple[int, int]
"""Column and row of a stored tile."""


class NotStored(SlideError):
    """A tile that has no JPEG of its own, or none that can travel alone."""


class StoredTiles(ABC):
    """Tiles of one size, side by side from the level's upper left corner; several threads may ask at a time."""

    def __init__(self, size: tuple[int, int], tile: tuple[int, int], downsample: int):
        self.size = size
        """(width, height) of the level in its own pixels."""
        self.tile = tile
        """(width, height) of a tile; the last ones exceed the level."""
        self.downsample = downsample
        """Level-0 px per pixel of the level."""

    @abstractmethod
    def jpeg(self, place: Place) -> bytes:
        """Whole and alone, with every table that its picture needs; raises NotStored."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the file; no thread may be asking."""

    @property
    def columns(self) -> int:
        return math.ceil(self.size[0] / self.tile[0])

    def l0_region(self, place: Place) -> Rectangle:
        """What a tile shows, beyond the level's end too."""
        (width, height), step = self.tile, self.downsample
        return place[0] * width * step, place[1] * height * step, width * step, height * step

    def places_in(self, l0_region: Rectangle) -> Iterator[Place] | None:
        """The tiles that show it, by rows; None for what exceeds the level or begins between its pixels."""
        if any(each % self.downsample for each in l0_region):
            return None
        x, y, width, height = (each // self.downsample for each in l0_region)
        if x < 0 or y < 0 or x + width > self.size[0] or y + height > self.size[1]:
            return None
        columns = range(x // self.tile[0], math.ceil((x + width) / self.tile[0]))
        rows = range(y // self.tile[1], math.ceil((y + height) / self.tile[1]))
        return ((column, row) for row in rows for column in columns)
