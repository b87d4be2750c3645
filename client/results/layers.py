"""What a result shows, in a few types that know nothing of pipelines; all result files are made of them.

Places are level-0 px of the slide; a region is (x, y, width, height).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green, blue in 0-255."""


@dataclass(frozen=True)
class Class:
    """What shapes and cards are told apart by."""

    name: str
    colour: Colour
    count: int
    """How many were found, as the legend says."""


Ring = NDArray[np.float32]
"""(vertices, 2), the first one not repeated."""


class Shape(NamedTuple):
    """A polygon or a box with its measurements; a large one may have holes, and be of several parts."""

    l0_outline: Ring
    """Of its only, or its first part."""
    of: int
    """Which of its layer's classes it has."""
    measurements: Mapping[str, float]
    name: str | None = None
    """As a viewer lists it."""
    l0_holes: Sequence[Ring] = ()
    """Cut out of that part."""
    l0_further: Sequence[Sequence[Ring]] = ()
    """Further parts, each its outline and then its holes; parts may touch at points, and do not overlap."""

    @property
    def l0_parts(self) -> Sequence[Sequence[Ring]]:
        """All, each its outline and then its holes."""
        return ((self.l0_outline, *self.l0_holes), *self.l0_further)

    @property
    def l0_rings(self) -> Iterator[Ring]:
        """All lines of it."""
        return chain.from_iterable(self.l0_parts)


@dataclass(frozen=True)
class Shapes:
    """Polygons or boxes, up to millions of them."""

    classes: Sequence[Class]
    each: Callable[[], Iterator[Shape]]
    """Makes them one by one, each time the same ones in the same order: they need not all be in memory."""


@dataclass(frozen=True)
class Grid:
    """A value for each region of a raster."""

    title: str
    values: NDArray[np.float32]
    """(rows, columns), NaN where there is none."""
    l0_first: tuple[float, float, float, float]
    """The region of row 0, column 0; the others follow without a gap."""
    limits: tuple[float, float]
    """The values at the ends of the colour scale; what lies beyond has the colour of the end."""
    unit: str = ""
    """Of the values; "%" shows a share of 1 as per cent."""
    turned: float = 0.0
    """Degrees by which the raster is turned clockwise about the upper left corner of its first region."""
    of: int | None = None
    """Of several grids of a result: which class of shapes and cards belongs to this one alone; None for all classes."""
    said: str = ""
    """What stands beside its title, as the value of the whole slide."""

    def __post_init__(self) -> None:
        """Raises ValueError for a scale or a region without extent."""
        if not self.limits[0] < self.limits[1] or min(self.l0_first[2:]) <= 0:
            raise ValueError(f"{self.title}: a scale of {self.limits} on regions like {self.l0_first}")

    def l0_outline(self, row: int, column: int) -> NDArray[np.float32]:
        """The corners (4, 2) of one value's region."""
        right, below = column + 1, row + 1
        squares = np.array([(column, row), (right, row), (right, below), (column, below)])
        return (squares @ self.axes + self.l0_first[:2]).astype(np.float32)

    @property
    def axes(self) -> NDArray[np.float64]:
        """(2, 2): where a step to the next column and a step to the next row lead."""
        turn = np.deg2rad(self.turned)
        cosine, sine = (float(np.round(each, 15)) for each in (np.cos(turn), np.sin(turn)))
        width, height = self.l0_first[2:]
        return np.array([(cosine * width, sine * width), (-sine * height, cosine * height)])

    def squares_at(self, l0_points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(…, 2) → column and row, with fractions, where points lie; the first region's are 0 to 1."""
        return np.asarray((l0_points - np.array(self.l0_first[:2])) @ np.linalg.inv(self.axes))


@dataclass(frozen=True)
class Arrows:
    """Directions, each from one point to another."""

    title: str
    l0_tails: NDArray[np.float32]
    """(arrows, 2)."""
    l0_heads: NDArray[np.float32]
    """(arrows, 2)."""
    colour: Colour
    heavy: bool = False
    """For the one that matters among many."""


@dataclass(frozen=True)
class Card:
    """A region worth looking at."""

    l0_region: NDArray[np.float32]
    number: int
    """The same in all files."""
    of: int
    """Which of its layer's classes it has."""
    caption: str
    numbers: Mapping[str, float]
    """What stands below the caption."""
    inside: Sequence[Shape] = field(default=())
    """What was seen in it."""


@dataclass(frozen=True)
class Cards:
    """Regions worth looking at, the first ones first."""

    name: str
    """Of the file that shows them side by side, without its ending."""
    said: str
    """What they are, or that there are none, in a sentence that keeps a reader from taking them for more."""
    classes: Sequence[Class]
    each: Sequence[Card]


Layer = Shapes | Grid | Arrows | Cards


def outline_of(l0_region: NDArray[np.float32]) -> NDArray[np.float32]:
    """The corners (4, 2) of a region, from the upper left one clockwise."""
    x, y, width, height = l0_region
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)
