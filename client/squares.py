"""What one square of the mask shows, in a byte."""

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.colour import Colour, is_stained, matches
from histoserve.client.slide import RGB

STAINED, INSIDE, UNREAD, COLOUR = 1, 2, 4, 4
"""Bits of a square: it is not glass; nor is it without its pixels of a surround's colour; it could not be read. From
bit COLOUR upwards: the number, from 1, of the surround's colour that fills it, or 0."""

LEAST_SHARE = 0.125
"""Of a square, that must show something else than the surround: less is the blur of the surround's edge."""


def classify(pixels: RGB, mean: RGB, colours: list[Colour]) -> NDArray[np.uint8]:
    """The bits of a block's squares, from its pixels (h, w, 3) and the squares' means (rows, columns, 3)."""
    stained = is_stained(mean)
    bits = np.where(stained, np.uint8(STAINED | INSIDE), np.uint8(0))
    other = np.full(pixels.shape[:2], 255, np.uint8)
    for number, colour in enumerate(colours, 1):
        filled, near = matches(pixels, mean, colour)
        bits[filled] = bits[filled] & ~(-1 << COLOUR) | number << COLOUR
        other[near > 0] = 0
    if not other.all():
        size = (mean.shape[1], mean.shape[0])
        share = cv2.resize(other, size, interpolation=cv2.INTER_AREA) / np.float32(255)
        mixed = (share < 1) & stained
        # Of each square the sum of its other pixels, then their mean; too few of them count for nothing.
        rest = cv2.resize(cv2.bitwise_and(pixels, pixels, mask=other), size, interpolation=cv2.INTER_AREA)[mixed]
        inside = is_stained(rest / share[mixed][:, None].clip(LEAST_SHARE)) & (share[mixed] >= LEAST_SHARE)
        bits[mixed] &= ~np.where(inside, 0, INSIDE).astype(np.uint8)
    return bits
