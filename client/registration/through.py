"""The IHC, read through the matrix: what lies under a window of the H&E, never the slide as a whole."""

import cv2
import numpy as np

from histoserve.client.grid import Rectangle
from histoserve.client.registration.affine import Matrix, after, inverse
from histoserve.client.registration.lay import by_index
from histoserve.client.registration.registration import Registration
from histoserve.client.slide import RGB, Slide

MARGIN = 2
"""Pixels of the level around what is read, for the interpolation at its edge."""

WHITE = (255, 255, 255)


def read_through(ihc: Slide, registration: Registration, he_region: Rectangle, size: tuple[int, int]) -> RGB:
    """(height, width, 3) of the IHC as it lies under a window of the H&E, in `size` (width, height) px.

    White beyond the slide. Raises UnreadableRegion.
    """
    x, y, width, height = he_region
    to_he = np.array([[width / size[0], 0, x], [0, height / size[1], y]])
    to_ihc = after(registration.matrix, to_he)
    ihc_px = float(np.sqrt(abs(np.linalg.det(to_ihc[:, :2]))))
    level = ihc.level_for(ihc_px)
    downsample = ihc.downsamples[level]
    left, top, columns, rows = _with_margin(registration.ihc_region(he_region), downsample, ihc.unit(level))
    pixels = ihc.read((left, top, columns, rows), level)
    smaller = max(1.0, ihc_px / downsample)
    if smaller > 1:
        shape = max(1, round(pixels.shape[1] / smaller)), max(1, round(pixels.shape[0] / smaller))
        pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
    across, down = columns / pixels.shape[1], rows / pixels.shape[0]
    to_read = after(inverse(np.array([[across, 0, left], [0, down, top]])), to_ihc)
    return warped(pixels, to_read, size)


def warped(pixels: RGB, matrix: Matrix, size: tuple[int, int]) -> RGB:
    """A picture of `size` that shows at p what `pixels` have at `matrix` p, white beyond; pixels end at integers."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(pixels, by_index(matrix), size, flags=flags, borderValue=WHITE).astype(np.uint8)


def _with_margin(region: Rectangle, downsample: float, unit: int) -> Rectangle:
    """Whole pixels of the level, so that they lie where they are said to."""
    x, y, width, height = region
    margin = int(np.ceil(MARGIN * downsample))
    left, top = (x - margin) // unit * unit, (y - margin) // unit * unit
    right, bottom = -(-(x + width + margin) // unit) * unit, -(-(y + height + margin) // unit) * unit
    return left, top, right - left, bottom - top
