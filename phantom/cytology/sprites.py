"""Cells as small pictures of optical density, which are added up where cells overlap.

outlines -> masks, finer than the pixels -> amount of dye per pixel -> blur of the focus -> optical density
"""

from math import ceil, floor
from random import Random
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.cytology.cells import Cell, Layer
from histoserve.phantom.cytology.grain import Plane, cut_out
from histoserve.phantom.noise import Floats

PER_UNIT = 500
"""Steps of a sprite in one unit of optical density (natural logarithm)."""

_MOST = 3.0
"""Largest optical density of a single cell: sums of 40 stay within 16 bits."""

_FINE, _COARSE, _LARGE = 0.125, 0.25, 30.0
"""Masks are drawn at least as finely as the first, or beyond the last size the second, then averaged; µm."""

_SHIFT = 4
_RIM = 0.7
"""Width of the line along an outline, µm."""


class Sprite(NamedTuple):
    """Optical density over a rectangle of the slide."""

    left: int
    top: int
    density: NDArray[np.uint16]
    """(h, w, 3): R, G, B in steps."""


def sprite(cell: Cell, dyes: Floats, blur: float, mpp: float, random: Random) -> Sprite:
    """The cell through optics whose point spread has the deviation `blur` (µm); `dyes` as in `Condition`."""
    sigma = blur / mpp
    pad = ceil(3 * sigma)
    boxes = [_bounds(layer, mpp) for layer in cell.layers]
    left, top = (min(box[k] for box in boxes) - pad for k in (0, 1))
    right, bottom = (max(box[k] for box in boxes) + pad for k in (2, 3))
    amounts: dict[int, Plane] = {}
    for layer, box in zip(cell.layers, boxes, strict=True):
        cover = _cover(layer, (box[0], box[1], box[2] - box[0], box[3] - box[1]), mpp, random)
        window = slice(box[1] - top, box[3] - top), slice(box[0] - left, box[2] - left)
        _lay(amounts, layer, cover, window, (bottom - top, right - left))
    # OpenCV mixes three planes many times faster than two.
    colours = np.zeros((3, 3), np.float32)
    colours[:, : len(amounts)] = dyes[list(amounts)].T * PER_UNIT
    seen = cv2.merge((list(amounts.values()) * 3)[:3])
    # Below this the grid of pixels holds less than a tenth beside the centre.
    if sigma > 0.25:
        seen = cv2.GaussianBlur(seen, (2 * pad + 1, 2 * pad + 1), sigma)
    density = np.minimum(cv2.transform(seen, colours), np.float32(_MOST * PER_UNIT))
    return Sprite(left, top, density.astype(np.uint16))


def _lay(
    amounts: dict[int, Plane], layer: Layer, cover: Plane, window: tuple[slice, slice], shape: tuple[int, int]
) -> None:
    """Add a layer's dyes to the amounts, one plane of this shape for each dye."""
    if layer.clears:
        for plane in amounts.values():
            plane[window] *= 1 - np.float32(layer.clears) * cover
    for dye, amount in layer.dyes:
        if dye not in amounts:
            amounts[dye] = np.zeros(shape, np.float32)
        amounts[dye][window] += np.float32(amount) * cover


def _cover(layer: Layer, frame: tuple[int, int, int, int], mpp: float, random: Random) -> Plane:
    """Share of the layer's amount in each pixel (h, w)."""
    mask = _drawn(layer.outline, frame, mpp, layer.line)
    cover = mask.astype(np.float32)
    cover *= np.float32(1 / 255)
    if layer.dome:
        side = max(1, int(0.42 * max(frame[2:])))
        wide = cv2.blur(mask, (side, side), borderType=cv2.BORDER_CONSTANT).astype(np.float32)
        cover *= np.float32(1 - layer.dome) + wide * np.float32(layer.dome * 1.1 / 255)
    if layer.rim:
        closed = np.concatenate([layer.outline, layer.outline[:1]])
        cover += _drawn(closed, frame, mpp, _RIM) * np.float32(layer.rim / 255)
    if layer.contrast:
        grain = cut_out(layer.grain, frame[2:], mpp, random) * np.float32(layer.contrast)
        grain += 1
        cover *= np.maximum(grain, 0, out=grain)
    if layer.soft > 0.6 * mpp:
        return np.asarray(cv2.GaussianBlur(cover, (0, 0), layer.soft / mpp), np.float32)
    return cover


def _drawn(outline: Floats, frame: tuple[int, int, int, int], mpp: float, line: float) -> NDArray[np.uint8]:
    """Share of each pixel (h, w), in 255ths, that lies in a polygon or, where `line` is not 0, on a line that wide."""
    x, y, width, height = frame
    pitch = _FINE if max(width, height) * mpp < _LARGE else _COARSE
    finer = max(2, ceil(mpp / pitch))
    # To OpenCV a pixel's centre is a whole number.
    scale = finer * 2**_SHIFT
    points = outline * (scale / mpp) - np.array([x * scale, y * scale]) - 0.5 * 2**_SHIFT
    points = np.rint(points).astype(np.int32).reshape(-1, *points.shape[-2:])
    fine = np.zeros((height * finer, width * finer), np.uint8)
    if line:
        thickness = max(1, round(line * finer / mpp))
        cv2.polylines(fine, list(points), False, (255,), thickness, cv2.LINE_8, _SHIFT)
    else:
        # One by one: together, OpenCV would leave out where two overlap.
        for polygon in points:
            cv2.fillPoly(fine, [polygon], (255,), cv2.LINE_8, _SHIFT)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA))


def _bounds(layer: Layer, mpp: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel border around a layer, its softness included, and one pixel more."""
    around = 3 * layer.soft + max(layer.line, _RIM if layer.rim else 0.0) + mpp
    points = layer.outline.reshape(-1, 2)
    x0, y0 = (points.min(axis=0) - around).tolist()
    x1, y1 = (points.max(axis=0) + around).tolist()
    return floor(x0 / mpp), floor(y0 / mpp), ceil(x1 / mpp), ceil(y1 / mpp)
