"""The abnormal regions of a slide: tiles that touch, and what is said of them together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Ring
from histoserve.client.results.outline import parts_of


@dataclass(frozen=True)
class Tiles:
    """The analysed tiles of a slide, squares of one raster, in an order that depends on their places alone."""

    l0_regions: NDArray[np.float32]
    """(tiles, 4), at least one."""
    probability: NDArray[np.float32]
    """(tiles, classes), the first class normal."""

    @cached_property
    def abnormal(self) -> NDArray[np.float32]:
        """(tiles,): 1 − P(normal)."""
        return np.float32(1) - self.probability[:, 0]

    @cached_property
    def l0_first(self) -> tuple[float, float, float, float]:
        """The square in row 0, column 0, which need not be a tile."""
        x, y = self.l0_regions[:, :2].min(axis=0).tolist()
        width, height = self.l0_regions[0, 2:].tolist()
        return x, y, width, height

    @cached_property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of each."""
        first = np.array(self.l0_first)
        columns, rows = np.rint((self.l0_regions[:, :2] - first[:2]) / first[2:]).astype(np.int64).T
        return rows, columns

    def raster(self) -> NDArray[np.float32]:
        """(rows, columns), the abnormal probability of each tile, NaN elsewhere."""
        rows, columns = self.places
        values = np.full((rows.max() + 1, columns.max() + 1), np.nan, np.float32)
        values[rows, columns] = self.abnormal
        return values


@dataclass(frozen=True)
class Region:
    """Abnormal tiles that touch."""

    number: int
    """1 for the worst; the same in all result files."""
    of: int
    """The abnormal class that is likeliest over its tiles."""
    mean: float
    """Of its tiles' abnormal probability."""
    highest: float
    tiles: int
    mm2: float
    """Of its tiles."""
    l0_region: NDArray[np.float32]
    """x, y, width, height of the rectangle around it."""
    l0_parts: Sequence[Sequence[Ring]]
    """Each its outline and then its holes; parts touch at corners."""


def regions_of(tiles: Tiles, group: NDArray[np.int32], mpp: float) -> list[Region]:
    """By number; `group` (tiles,) as `tissue_slide` answers it, `mpp` µm per level-0 px."""
    # Sorted once: a slide may have thousands of regions.
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(-1, group.max(initial=-1) + 1), "right")
    each = pairwise(ends)
    return [_region(tiles, order[start:end], number, mpp) for number, (start, end) in enumerate(each, 1)]


def _region(tiles: Tiles, inside: NDArray[np.intp], number: int, mpp: float) -> Region:
    """Of the tiles with these numbers."""
    (x, y, width, height), abnormal = tiles.l0_first, tiles.abnormal[inside].astype(np.float64)
    rows, columns = (places[inside] for places in tiles.places)
    top, left = rows.min(), columns.min()
    squares = np.zeros((rows.max() - top + 1, columns.max() - left + 1), np.bool_)
    squares[rows - top, columns - left] = True
    corner, side = np.array((x + left * width, y + top * height)), np.array((width, height))
    return Region(
        number=number,
        of=1 + int(tiles.probability[inside, 1:].mean(axis=0, dtype=np.float64).argmax()),
        mean=float(abnormal.mean()),
        highest=float(abnormal.max()),
        tiles=len(abnormal),
        mm2=len(abnormal) * width * height * (mpp / 1000) ** 2,
        l0_region=np.array([*corner, *(side * squares.shape[::-1])], np.float32),
        l0_parts=[[(corner + ring * side).astype(np.float32) for ring in part] for part in parts_of(squares)],
    )
