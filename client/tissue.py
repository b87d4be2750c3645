"""Which part of a slide is worth sending: binarise the whole slide, then close gaps and grow (CN113887377A [0068]).

No threshold is taken from the slide itself: Otsu's splits an image that is all tissue into dark and light tissue.
Glass is told by its own looks instead: bright and without colour. Nothing is opened, though [0068] does: a lone nucleus
may be a single square of the mask, and dust is no smaller. Ink and the coverslip's edge count as tissue: trichrome and
Papanicolaou stain tissue in the colours of ink, and it is worse to lose tissue than to send ink.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import is_stained
from histoserve.client.grid import Rectangle
from histoserve.client.raster import Block, Raster, means
from histoserve.client.slide import RGB
from histoserve.client.squares import INSIDE, STAINED, UNREAD
from histoserve.client.survey import Survey

CLOSE_UM = 40.0
"""Gaps narrower than this (lumens, cracks, pale stroma) belong to the tissue around them."""

GROW_UM = 32.0
"""Cells at the tissue's rim are fainter than the threshold; also covers the mask's own pixel."""

STRIP = 1024
"""Rows of the mask that are worked on at a time, so that what is made in between stays small."""


@dataclass
class Tissue:
    """Where a slide shows something."""

    raster: Raster
    """Whose squares are the pixels of the masks."""
    mpp: float
    """µm per level-0 px, NaN where that is not known."""
    mask: NDArray[np.bool_]
    """(rows, columns): tissue; what was not read is none."""
    wanted: NDArray[np.bool_]
    """`mask` grown, and what was not read: it may be tissue."""
    unread: NDArray[np.bool_]
    surround: NDArray[np.bool_]
    """Of the scan: nothing is there to be seen."""
    is_sought: bool = True
    """False where all of the picture counts, whatever it shows."""
    _learnt: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def mask_mpp(self) -> float:
        """µm per pixel of the mask."""
        return self.raster.side * self.mpp

    def in_core(self, core: Rectangle) -> bool:
        """Whether a tile with this core (level-0) must be analysed: any wanted pixel touches it."""
        return bool(self.wanted[self._touched(core).cut].any())

    def mm2(self, core: Rectangle) -> float:
        """Tissue in this core; pixels of the mask on the core's border count by their share."""
        return self._mm2_of(self.mask, core)

    def describe(self) -> dict[str, float | None]:
        """For `result.json`, in mm² of the whole slide; None where µm are not known."""
        slide = (0, 0, *self.raster.l0_size)
        masks = {"tissue_mm2": self.mask, "unread_mm2": self.unread, "surround_mm2": self.surround}
        if math.isnan(self.mpp):
            return {"mask_mpp": None, **dict.fromkeys(masks)}
        return {
            "mask_mpp": round(self.mask_mpp, 4),
            **{name: round(self._mm2_of(mask, slide), 6) for name, mask in masks.items()},
        }

    def learn(self, core: Rectangle, region: Rectangle, pixels: RGB) -> None:
        """Takes from a tile that could be read after all what is tissue in its core; any thread may call.

        `pixels` show `region`, at any level. Each pixel of the mask is decided by the one tile whose core holds its
        centre, so the mask does not depend on the order of the tiles.
        """
        if self.is_known(core):
            return
        block = self._centred(core)
        unread = self.unread[block.cut]
        stained = is_stained(means(_part(pixels, region, self.raster, block), block))
        with self._lock:
            self.mask[block.cut] |= unread & stained
            self.unread[block.cut] = False
            self._learnt = True

    def is_known(self, core: Rectangle) -> bool:
        """Whether a tile with this core has nothing to `learn` from."""
        return not self.unread[self._centred(core).cut].any()

    def settle(self) -> None:
        """Closes the gaps in what was learnt."""
        if self._learnt:
            self.mask = _closed(self.mask, self.mask_mpp) & ~(self.unread | self.surround)

    def _touched(self, core: Rectangle) -> Block:
        x, y, width, height = core
        side = self.raster.side
        left, top = x // side, y // side
        return Block(left, top, -(-(x + width) // side) - left, -(-(y + height) // side) - top)

    def _centred(self, core: Rectangle) -> Block:
        """The squares whose centres lie in the core."""
        x, y, width, height = core
        edges = [self._first_centre(each) for each in (x, y, x + width, y + height)]
        right = self.raster.columns if x + width >= self.raster.l0_size[0] else edges[2]
        bottom = self.raster.rows if y + height >= self.raster.l0_size[1] else edges[3]
        return Block(edges[0], edges[1], right - edges[0], bottom - edges[1])

    def _first_centre(self, l0_edge: int) -> int:
        side = self.raster.side
        return max(0, -(-(2 * l0_edge - side) // (2 * side)))

    def _mm2_of(self, mask: NDArray[np.bool_], core: Rectangle) -> float:
        block = self._touched(core)
        part = mask[block.cut]
        if not part.any():
            return 0.0
        x, y, width, height = core
        down = _shares(y, height, block.top, block.rows, self.raster.side)
        across = _shares(x, width, block.left, block.columns, self.raster.side)
        strips = range(0, len(part), STRIP)
        l0_area = sum(float(down[top : top + STRIP] @ part[top : top + STRIP] @ across) for top in strips)
        return l0_area * (self.mpp / 1000) ** 2


def find_tissue(survey: Survey, mpp: float) -> Tissue:
    """From what was seen of a slide, and its µm per level-0 px."""
    squares, mask_mpp = survey.squares, survey.raster.side * mpp
    unread = squares & UNREAD > 0
    surround, edge = survey.surround.mask, survey.surround.edge
    mask = squares & STAINED > 0
    mask[edge] = squares[edge] & INSIDE > 0
    nothing = surround | unread
    mask[nothing] = False
    mask = _closed(mask, mask_mpp)
    mask[nothing] = False
    wanted = _by_strips(mask, lambda part, disc: cv2.dilate(part, disc), max(1, math.ceil(GROW_UM / mask_mpp)))
    wanted |= unread
    wanted[surround] = False
    return Tissue(survey.raster, mpp, mask, wanted, unread, surround)


def all_of(l0_size: tuple[int, int], mpp: float) -> Tissue:
    """Of a picture that is looked at as a whole: what is tissue on it is not sought, dark is not glass in CT and MR."""
    nothing = np.zeros((1, 1), np.bool_)
    return Tissue(Raster(l0_size, max(l0_size)), mpp, ~nothing, ~nothing, nothing, nothing, is_sought=False)


def _closed(mask: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    radius = round(CLOSE_UM / mpp / 2)
    return _by_strips(mask, lambda part, disc: cv2.morphologyEx(part, cv2.MORPH_CLOSE, disc), radius)


def _by_strips(
    mask: NDArray[np.bool_], operation: Callable[[NDArray, NDArray], NDArray], radius: int
) -> NDArray[np.bool_]:
    """A morphological operation with a disc, as if on the whole mask."""
    if not radius:
        return mask
    result = np.empty_like(mask)
    # Closing looks as far as twice its radius.
    halo = 2 * radius
    for top in range(0, len(mask), STRIP):
        first = max(0, top - halo)
        part = operation(mask[first : top + STRIP + halo].view(np.uint8), _disc(radius))
        result[top : top + STRIP] = part[top - first : top - first + STRIP] > 0
    return result


def _disc(radius: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)


def _shares(start: int, length: int, first: int, count: int, side: int) -> NDArray[np.float64]:
    """How many of the level-0 px from `start` lie in each of `count` squares from the `first`."""
    edges = np.arange(first, first + count + 1) * side
    return np.diff(np.clip(edges, start, start + length)).astype(np.float64)


def _part(pixels: RGB, region: Rectangle, raster: Raster, block: Block) -> RGB:
    """The block's pixels out of a region's that holds all of it but parts of the squares on its border."""
    x, y, width, height = region
    across, down = pixels.shape[1] / width, pixels.shape[0] / height
    left, top, columns, rows = raster.region(block)
    first_column, first_row = max(0, round((left - x) * across)), max(0, round((top - y) * down))
    end_column, end_row = round((left + columns - x) * across), round((top + rows - y) * down)
    return pixels[first_row : max(end_row, first_row + 1), first_column : max(end_column, first_column + 1)]
