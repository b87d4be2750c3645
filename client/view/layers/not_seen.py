"""What was not looked at: hatched, strongly where it should have been, faintly where nobody meant to.

The hatching hangs on the page, so that tiles meet.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import Rectangle
from histoserve.client.results.layers import outline_of
from histoserve.client.results.layers_json import Background
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.picture import empty, png_of
from histoserve.client.view.layers.read import FARTHEST_PX
from histoserve.client.view.layers.tile import Size, Tile, edges, tile_of

FAILED, NOT_PLANNED = "failed", "not-planned"
"""Names of what is found; the page says them in words."""

LEAST_PX = 6
"""Of a failed region's sides: it is seen at every zoom."""

STRONG_PX, FAINT_PX = 8, 16
"""From line to line; they divide a tile's side."""

STRONG, BETWEEN, FAINT = (40, 40, 40, 255), (255, 255, 255, 140), (90, 90, 90, 110)
"""Blue, green, red, opacity: of strong lines, of what lies between them, of faint lines."""

Sides = NDArray[np.int64]
"""(regions, 4): left, top, right, bottom."""


class DrawnNotSeen:
    """Fits `drawn.DrawnLayer`."""

    def __init__(self, background: Background, l0_size: Size):
        """Raises ValueError for regions that are none."""
        self._l0_size = l0_size
        self._seen, self._failed = _sides(background.seen), _sides(background.not_seen)

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """Neither `of` nor `least` says anything here."""
        tile = tile_of(self._l0_size, z, x, y)
        pixels = self.drawn(tile)
        return png_of(pixels) if pixels.any() else empty(tile.size)

    def drawn(self, tile: Tile) -> NDArray[np.uint8]:
        """Blue, green, red, opacity (H, W, 4)."""
        width, height = tile.size
        slanting = np.add.outer(np.arange(height) + tile.corner[1], np.arange(width) + tile.corner[0])
        pixels = np.zeros((height, width, 4), np.uint8)
        failed = _covered(tile, _at_least(self._on_page(self._failed, tile.z), LEAST_PX))
        faint = ~_covered(tile, self._on_page(self._seen, tile.z)) & ~failed
        pixels[faint & (slanting % FAINT_PX < 2)] = FAINT
        pixels[failed] = BETWEEN
        pixels[failed & (slanting % STRONG_PX < 3)] = STRONG
        return pixels

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """FAILED or NOT_PLANNED, or nothing where the slide was looked at."""
        failed = self._failed[_holding(self._failed, l0_x, l0_y)]
        if len(failed):
            left, top, right, bottom = failed[0].tolist()
            outline = outline_of(np.array((left, top, right - left, bottom - top), np.float32))
            return [Found(FAILED, {}, outline.tolist())]
        return [] if _holding(self._seen, l0_x, l0_y).any() else [Found(NOT_PLANNED, {}, [])]

    def _on_page(self, sides: Sides, z: int) -> Sides:
        across, down = (edges(sides[:, axis::2], z, self._l0_size[axis]) for axis in (0, 1))
        return np.stack((across[:, 0], down[:, 0], across[:, 1], down[:, 1]), axis=1)


def _sides(regions: Sequence[Rectangle]) -> Sides:
    try:
        whole = np.array(regions, np.float64).reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise ValueError(f"what was looked at is no list of regions: {error}") from error
    if not (np.abs(whole) < FARTHEST_PX).all():
        raise ValueError("what was looked at is no list of regions: one is beyond any slide")
    whole = whole.astype(np.int64)
    return np.concatenate((whole[:, :2], whole[:, :2] + whole[:, 2:]), axis=1)


def _holding(sides: Sides, x: float, y: float) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = (sides[:, 0] <= x) & (x < sides[:, 2]) & (sides[:, 1] <= y) & (y < sides[:, 3])
    return held


def _at_least(sides: Sides, least: int) -> Sides:
    """Enlarged about their middles."""
    missing = np.maximum(0, least - (sides[:, 2:] - sides[:, :2]))
    return np.concatenate((sides[:, :2] - missing // 2, sides[:, 2:] + (missing + 1) // 2), axis=1)


def _covered(tile: Tile, sides: Sides) -> NDArray[np.bool_]:
    """The px that any of the regions covers: each adds one behind its corners, and sums do the rest."""
    width, height = tile.size
    corner = np.array(tile.corner * 2)
    left, top, right, bottom = (sides - corner).clip(0, (width, height) * 2).T
    there = (left < right) & (top < bottom)
    left, top, right, bottom = left[there], top[there], right[there], bottom[there]
    counts = np.zeros((height + 1) * (width + 1), np.int64)
    for rows, columns, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        counts += sign * np.bincount(rows * (width + 1) + columns, minlength=len(counts))
    covered: NDArray[np.bool_] = counts.reshape(height + 1, width + 1).cumsum(0).cumsum(1)[:height, :width] > 0
    return covered
