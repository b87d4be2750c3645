"""Which part of the slide a tile shows.

At zoom z a px of the page shows 2^z level-0 px of the slide. `l0_` are level-0 px, all else px of the page at that
zoom, x right, y down.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILE_PX = 512

Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of the page at one zoom."""

    z: int
    corner: tuple[int, int]
    """Its left and upper border."""
    size: Size

    @property
    def scale(self) -> float:
        """Px per level-0 px: a power of two, so that scaling is exact."""
        return 2.0**-self.z

    def l0_square(self, margin: float = 0) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, with `margin` px more on each side."""
        (left, top), (width, height) = self.corner, self.size
        sides = left - margin, top - margin, left + width + margin, top + height + margin
        return tuple(side / self.scale for side in sides)  # type: ignore[return-value]

    def placed(self, l0_points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(…, 2) in px from the tile's corner."""
        return l0_points.astype(np.float64) * self.scale - self.corner


def tile_of(l0_size: Size, z: int, x: int, y: int) -> Tile:
    """Cut off at the slide's right and lower border; raises ValueError where there is no such tile."""
    if 0 <= z <= deepest(l0_size):
        corner = x * TILE_PX, y * TILE_PX
        width, height = (min(TILE_PX, side - at) for side, at in zip(page_size(l0_size, z), corner, strict=True))
        if min(x, y) >= 0 and min(width, height) > 0:
            return Tile(z, corner, (width, height))
    raise ValueError(f"a slide of {l0_size[0]} × {l0_size[1]} px has no tile {x}, {y} at zoom {z}")


def page_size(l0_size: Size, z: int) -> Size:
    """Of the whole slide; the last px may lie partly beyond it."""
    width, height = (-(-side >> z) for side in l0_size)
    return width, height


def deepest(l0_size: Size) -> int:
    """The zoom at which the slide is one tile."""
    return max(0, math.ceil(math.log2(max(l0_size) / TILE_PX)))


def edges(l0_sides: NDArray[np.floating] | NDArray[np.int64], z: int, l0_length: int) -> NDArray[np.int64]:
    """Borders in whole px, rounded so that neighbours neither gap nor overlap; `l0_length`: the slide's on this axis.

    What ends with the slide ends with its last px, and nothing goes far beyond.
    """
    sides = np.asarray(l0_sides, np.float64)
    whole = np.floor(sides.clip(-l0_length, 2 * l0_length) * 2.0**-z + 0.5).astype(np.int64)
    return np.where(sides == l0_length, -(-l0_length >> z), whole)
