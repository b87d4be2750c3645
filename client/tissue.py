"""Which part of a slide is worth sending: binarise the thumbnail, then open and close (CN113887377A [0068]).

No threshold is taken from the slide itself: Otsu's splits an image that is all tissue into dark and light tissue.
Glass is told by its own looks instead: bright and without colour.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.grid import Rectangle

MASK_MPP = 4.0
"""µm/px of the mask where the thumbnail is finer: a nucleus is still two pixels wide, grain and JPEG noise are gone."""

GLASS_BRIGHTNESS = 200
"""Glass is brighter in every channel; white balance puts it at 230-250, vignetting lowers it to 210."""

GLASS_CHROMA = 18
"""Largest minus smallest channel: tinted glass stays under 12, pale eosin is over 20."""

SPECK_UM2 = 64.0
"""A mark smaller than one nucleus of 8 µm with its blur is dust; opening by area keeps thin strands whole."""

CLOSE_UM = 40.0
"""Gaps narrower than this (lumens, cracks, pale stroma) belong to the tissue around them."""

GROW_UM = 32.0
"""Cells at the tissue's rim are fainter than the threshold; also covers the mask's own pixel."""


@dataclass(frozen=True)
class Tissue:
    """Where a slide shows something."""

    mask: NDArray[np.bool_]
    """(h, w), covers the whole slide."""
    wanted: NDArray[np.bool_]
    """`mask`, grown."""
    l0_per_px: tuple[float, float]
    """Level-0 px across and down per pixel of the masks."""

    def in_core(self, core: Rectangle) -> bool:
        """Whether a tile with this core (level-0) must be analysed: any wanted pixel touches it."""
        x, y, width, height = core
        across, down = self.l0_per_px
        rows, columns = self.mask.shape
        left, top = min(int(x / across), columns - 1), min(int(y / down), rows - 1)
        right, bottom = math.ceil((x + width) / across), math.ceil((y + height) / down)
        return bool(self.wanted[top : max(bottom, top + 1), left : max(right, left + 1)].any())

    def l0_area(self, core: Rectangle) -> float:
        """Tissue in this core in level-0 px²; pixels of the mask on the core's border count by their share."""
        x, y, width, height = core
        across, down = self.l0_per_px
        columns = np.clip([x / across, (x + width) / across], 0, self.mask.shape[1])
        rows = np.clip([y / down, (y + height) / down], 0, self.mask.shape[0])
        (upper_left, upper_right), (lower_left, lower_right) = [
            [_at(self._mask_sums, row, column) for column in columns] for row in rows
        ]
        return (lower_right - upper_right - lower_left + upper_left) * across * down

    @cached_property
    def _mask_sums(self) -> NDArray[np.float64]:
        return cv2.integral(self.mask.astype(np.uint8), sdepth=cv2.CV_64F).astype(np.float64)


def find_tissue(thumbnail: NDArray[np.uint8], l0_size: tuple[int, int], slide_mpp: float) -> Tissue:
    """From the thumbnail of a whole slide, RGB (h, w, 3), and the slide's size (width, height) in level-0 px."""
    l0_width, l0_height = l0_size
    thumbnail_mpp = slide_mpp * l0_width / thumbnail.shape[1]
    image = _shrink(thumbnail, thumbnail_mpp / MASK_MPP) if thumbnail_mpp < MASK_MPP else thumbnail
    height, width = image.shape[:2]
    mpp = slide_mpp * max(l0_width / width, l0_height / height)
    mask = _close(_open(_binarise(image), SPECK_UM2 / mpp**2), CLOSE_UM / mpp)
    return Tissue(
        mask=mask.astype(bool),
        wanted=cv2.dilate(mask, _disc(max(1, math.ceil(GROW_UM / mpp)))).astype(bool),
        l0_per_px=(l0_width / width, l0_height / height),
    )


def _binarise(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    darkest, brightest = rgb.min(axis=2), rgb.max(axis=2)
    return ((darkest < GLASS_BRIGHTNESS) | (brightest - darkest >= GLASS_CHROMA)).astype(np.uint8)


def _open(mask: NDArray[np.uint8], smallest: float) -> NDArray[np.uint8]:
    """Without the 8-connected parts of fewer px than `smallest`, unless the border cuts them."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = found[:, cv2.CC_STAT_AREA] >= smallest
    keep[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = True
    keep[0] = False
    return keep[labels].astype(np.uint8)


def _close(mask: NDArray[np.uint8], gap: float) -> NDArray[np.uint8]:
    radius = round(gap / 2)
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(radius)).astype(np.uint8) if radius else mask


def _disc(radius: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)


def _shrink(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _at(sums: NDArray[np.float64], row: float, column: float) -> float:
    """The integral image between its corners, linear in both directions: exact, since each pixel is even."""
    top, left = min(int(row), sums.shape[0] - 2), min(int(column), sums.shape[1] - 2)
    down, right = row - top, column - left
    upper = sums[top, left] * (1 - right) + sums[top, left + 1] * right
    lower = sums[top + 1, left] * (1 - right) + sums[top + 1, left + 1] * right
    return float(upper * (1 - down) + lower * down)
