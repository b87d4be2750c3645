"""Where a slide is cut into tiles.

`l0_` are level-0 pixels of the slide, x right, y down. A tile shows its *region* and answers for its *core*; the rest
of the region is margin, there so that what lies on the core's border is seen whole. On one axis, 5 px long, with
regions of 3 px and a margin of 1 px:

    slide    0 1 2 3 4
    regions  [---]            cores  [-]
               [---]                     |
                 [---]                   [-]      → [0, 2), [2, 3), [3, 5)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in level-0 px."""


@dataclass(frozen=True)
class PlannedTile:
    """One tile of a slide's plan."""

    index: int
    """Number in the whole grid, by rows; a tile keeps it whichever others hold tissue."""
    region: Rectangle
    """What the tile shows; exceeds the slide only where the slide is smaller than a tile."""
    core: Rectangle
    """What the tile answers for; the cores of a grid partition the slide."""


@dataclass(frozen=True)
class TileSize:
    """A tile in level-0 pixels."""

    side: int
    margin: int
    unit: int = 1
    """Regions begin and end at multiples of it: the pixels of the level that is read."""

    @property
    def step(self) -> int:
        """From one tile to the next."""
        return self.side - 2 * self.margin


def tile_size(tile_px: int, network_mpp: float, margin_px: float, slide_mpp: float, unit: int = 1) -> TileSize:
    """The network's tile on a slide of `slide_mpp` µm/px; the margin is rounded up, never to less than asked for.

    Both are multiples of `unit` px, so that a tile shows whole pixels of a level that is coarser by that factor.

    Raises ValueError for a margin that leaves no core.
    """
    scale = network_mpp / slide_mpp
    # The small subtraction keeps 16 * 0.25 / 0.25 and the like from being rounded up by the last bit.
    side, margin = round(tile_px * scale / unit) * unit, math.ceil(margin_px * scale / unit - 1e-6) * unit
    size = TileSize(side, margin, unit)
    if size.step < 1:
        raise ValueError(
            f"a tile of {tile_px} px with a margin of {margin_px:g} px on each side has no core at {slide_mpp:g} µm/px"
        )
    return size


def grid(l0_width: int, l0_height: int, size: TileSize, whole: bool = False) -> Iterator[PlannedTile]:
    """Every tile of a slide, by rows from the upper left; `whole`: but none that its border would cut."""
    along = _whole if whole else _axis
    columns = list(along(l0_width, size))
    for row, (y, core_y, core_height) in enumerate(along(l0_height, size)):
        for column, (x, core_x, core_width) in enumerate(columns):
            yield PlannedTile(
                index=row * len(columns) + column,
                region=(x, y, size.side, size.side),
                core=(core_x, core_y, core_width, core_height),
            )


def _axis(length: int, size: TileSize) -> Iterator[tuple[int, int, int]]:
    """(start of the region, start of the core, length of the core); border cores reach to the slide's border."""
    count = max(1, math.ceil((length - 2 * size.margin) / size.step)) if length > size.side else 1
    for k in range(count):
        start = 0 if k == 0 else k * size.step + size.margin
        end = length if k == count - 1 else (k + 1) * size.step + size.margin
        # The last region is shifted inward, onto real pixels; a slide shorter than a region is padded behind.
        last = math.ceil((length - size.side) / size.unit) * size.unit
        yield max(0, min(k * size.step, last)), start, end - start


def _whole(length: int, size: TileSize) -> Iterator[tuple[int, int, int]]:
    """As `_axis`, side by side: what remains at the end is nobody's."""
    for start in range(0, length - size.side + 1, size.step):
        yield start, start + size.margin, size.step
