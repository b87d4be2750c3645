"""Arrows of constant width on the screen, whole across the borders of tiles."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from histoserve.client.results.layers import Arrows
from histoserve.client.results.pictures.arrows import HEAD_PX, LEAST_PX, LINE_PX, Vectors, means
from histoserve.client.results.pictures.lettering import contrast
from histoserve.client.view.layers.found import Found
from histoserve.client.view.layers.lines import WIDEST_PX, draw_lines
from histoserve.client.view.layers.picture import Picture, empty, opaque
from histoserve.client.view.layers.tile import Size, tile_of


class DrawnArrows:
    """Fits `drawn.DrawnLayer`; those without a direction (NaN, or no length) are nowhere."""

    def __init__(self, arrows: Arrows, l0_size: Size):
        self._arrows, self._l0_size = arrows, l0_size
        self._lines = lru_cache(4)(self._lines_at)

    def tile(self, z: int, x: int, y: int, of: frozenset[int] | None, least: float | None) -> bytes:
        """Neither `of` nor `least` says anything of arrows."""
        picture = Picture(tile_of(self._l0_size, z, x, y))
        return picture.png() if self.draw(picture) else empty(picture.tile.size)

    def draw(self, picture: Picture) -> bool:
        """With a rim of a px, so that they show on anything; False if there are none."""
        lines, low, high = self._lines(picture.tile.z)
        first = np.array(picture.tile.corner) - WIDEST_PX
        last = first + picture.tile.size + 2 * WIDEST_PX
        lines = lines[((high >= first) & (low <= last)).all(axis=1)]
        if not len(lines):
            return False
        width = LINE_PX[self._arrows.heavy]
        draw_lines(picture, lines, opaque(contrast(self._arrows.colour)), width + 1)
        draw_lines(picture, lines, opaque(self._arrows.colour), width)
        return True

    def at(self, l0_x: float, l0_y: float) -> list[Found]:
        """Arrows have no numbers."""
        return []

    def _lines_at(self, z: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Each arrow's shaft and its head's two lines, (n, 2 ends, 2) in px of the page, and their boxes' corners."""
        tails, heads = (ends.astype(np.float64) * 2.0**-z for ends in (self._arrows.l0_tails, self._arrows.l0_heads))
        middle, along = (tails + heads) / 2, heads - tails
        there = np.isfinite(along).all(axis=1)
        middle, along = middle[there], along[there]
        # Where most are too short to be told apart, one stands for all in a square.
        if len(middle) > 1 and np.median(np.hypot(*along.T)) < LEAST_PX / 2:
            middle, along = means(middle, along)
        lines = _drawn(middle, along, HEAD_PX[self._arrows.heavy])
        return lines, lines.min(axis=1), lines.max(axis=1)


def _drawn(middle: Vectors, along: Vectors, head_px: float) -> NDArray[np.float64]:
    length = np.hypot(*along.T)
    middle, along, length = middle[length > 0], along[length > 0], length[length > 0]
    unit = along / length[:, None]
    half = unit * np.maximum(length, LEAST_PX)[:, None] / 2
    tail, tip = middle - half, middle + half
    back = unit * np.minimum(head_px, np.maximum(length, LEAST_PX) / 2)[:, None]
    aside = back[:, ::-1] * (-1, 1)
    return np.concatenate([np.stack((tip, end), axis=1) for end in (tail, tip - back + aside, tip - back - aside)])
