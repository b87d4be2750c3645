"""From an image's samples, as the file means them, to RGB of 8 bits over white."""

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError

RGB = NDArray[np.uint8]
"""(H, W, 3)."""

HALF_RANGE = 1 << 15
"""Samples of 16 bits whose brightest stays below this come from 10, 12 or 14 bits: what is white then is unknown."""

ROWS = 512
"""Converted at a time, so that wide samples do not take several times their memory."""


def eight_bits(name: str, samples: NDArray, white: int | None = None) -> NDArray[np.uint8]:
    """Unsigned samples of 8 or 16 bits; `white` is the brightest value that the file states, if it does.

    Raises SlideError where 16 bits are stated and fewer are used.
    """
    if samples.dtype == np.uint8:
        return samples
    brightest = int(samples.max(initial=0))
    if white is None and brightest < HALF_RANGE:
        raise SlideError(
            f"{name} has samples of 16 bits of which {max(1, brightest.bit_length())} are used, and does not say which "
            "value is white (no MaxSampleValue). Scale it to 8 bits and give that."
        )
    white = white or 0xFFFF
    scaled = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), ROWS):
        rows = np.minimum(samples[top : top + ROWS], white).astype(np.uint32)
        scaled[top : top + ROWS] = (rows * 255 + white // 2) // white
    return scaled


def over_white(rgba: NDArray[np.uint8], premultiplied: bool = False) -> RGB:
    """(H, W, 4) → (H, W, 3)."""
    alpha = rgba[..., 3:]
    if alpha.min(initial=255) == 255:
        return np.ascontiguousarray(rgba[..., :3])
    rgb = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), ROWS):
        colours, weight = rgba[top : top + ROWS, :, :3].astype(np.uint16), alpha[top : top + ROWS].astype(np.uint16)
        if premultiplied:
            rgb[top : top + ROWS] = np.minimum(colours + (255 - weight), 255)
        else:
            rgb[top : top + ROWS] = (colours * weight + 255 * (255 - weight) + 127) // 255
    return rgb


def rgb_from(name: str, samples: NDArray[np.uint8], alpha: str | None) -> RGB:
    """(H, W, 1 to 4) of gray or RGB; `alpha` says what the last sample is: straight, premultiplied, or None for colour.

    Raises SlideError for a picture of which nothing is to be seen.
    """
    opacity = samples[..., -1:] if alpha else None
    colours = samples[..., :-1] if alpha else samples
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if opacity is None:
        return np.ascontiguousarray(colours)
    if not opacity.any():
        raise SlideError(f"{name} is transparent everywhere: its alpha channel is zero. Save it without alpha.")
    return over_white(np.concatenate([colours, opacity], axis=2), premultiplied=alpha == "premultiplied")


def upright(pixels: NDArray, orientation: int) -> NDArray:
    """Turned and mirrored as `orientation` (1 to 8, TIFF and EXIF) says: where the first row and column belong."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
