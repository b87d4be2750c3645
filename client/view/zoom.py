"""The page's zoom levels: at level z one px of the page shows 2^z level-0 px; a level is cut into tiles of 512 px."""

from typing import NamedTuple

from histoserve.client.view.layers.tile import TILE_PX, deepest, page_size

__all__ = ["TILE_PX", "Tile", "deepest", "tile_at"]


class Tile(NamedTuple):
    """Part of a slide at a zoom level."""

    l0_left: int
    l0_top: int
    width: int
    """In px of the page, as `height`; the last column's px may show less of the slide than the others do."""
    height: int
    scale: int
    """Level-0 px per px of the page."""


def tile_at(l0_size: tuple[int, int], z: int, x: int, y: int) -> Tile | None:
    """Column x, row y of level z; None where there is no such tile."""
    if not (0 <= z <= deepest(l0_size) and x >= 0 and y >= 0):
        return None
    width, height = (min(TILE_PX, px - TILE_PX * at) for px, at in zip(page_size(l0_size, z), (x, y), strict=True))
    scale = 1 << z
    return Tile(x * TILE_PX * scale, y * TILE_PX * scale, width, height, scale) if min(width, height) > 0 else None
