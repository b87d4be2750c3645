"""What every kind of phantom must be able to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frame = tuple[int, int, int, int]
"""x, y, width, height in level-0 pixels."""


@dataclass(frozen=True)
class TrueObject:
    """One object that was drawn."""

    type: int
    """Number of its type, from 1."""
    outline: NDArray[np.float64]
    """Polygon (V, 2) in level-0 pixels, three decimals; a pixel belongs to it if its centre lies inside."""
    properties: Mapping[str, object] = field(default_factory=dict)
    """What else is true of it, by name."""


class Drawing(Protocol):
    """A slide of one kind, size and seed; what is drawn at a place depends on nothing but the place."""

    types: tuple[str, ...]
    """Names of the object types, from number 1."""
    facts: Mapping[str, object]
    """What is true of the slide as a whole, for the header of its truth."""

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """RGB (h, w, 3) of the frame, which may extend beyond the slide."""

    def objects(self) -> Iterator[TrueObject]:
        """Every object once, in an order that depends on the position only."""
