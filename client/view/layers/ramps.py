"""Tiles of few colours as PNG with a palette: a tenth of the time and a quarter of the bytes of four channels.

Each colour has a ramp, from transparent to fully drawn; a px is a ramp and how far up it is.
"""

import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histoserve.client.results.layers import Colour
from histoserve.client.results.pictures.lettering import contrast

Ramp = NDArray[np.float64]
"""(256, 4): red, green, blue, opacity for each value; the first one is transparent."""

MOST = 255
"""Ramps; the palette's first colour is none."""

RIM = 128
"""The value at which a rimmed ramp is all rim; above it the line mixes in."""


class Ramps:
    """A palette of them, each in as many steps as there is room for."""

    def __init__(self, ramps: Sequence[Ramp]):
        """Raises ValueError for more than MOST."""
        if len(ramps) > MOST:
            raise ValueError(f"{len(ramps)} colours at a time cannot be shown, {MOST} can")
        steps = MOST // max(1, len(ramps))
        values = np.rint(np.arange(1, steps + 1) * 255 / steps).astype(int)
        self._palette = np.concatenate([np.zeros((1, 4)), *(ramp[values] for ramp in ramps)]).round().astype(np.uint8)
        # However little is drawn, it is the first step.
        step = np.maximum(1, np.rint(np.arange(256) * steps / 255)).astype(int) * (np.arange(256) > 0)
        each = np.where(step > 0, step + np.arange(max(1, len(ramps)))[:, None] * steps, 0)
        self._numbers = each.astype(np.uint8).ravel()

    def png(self, ramp: NDArray[np.integer], value: NDArray[np.uint8]) -> bytes:
        """Of a ramp and a value for each px (H, W)."""
        numbers = self._numbers[ramp.astype(np.uint16) * 256 + value]
        image = Image.fromarray(numbers).convert("P")
        image.putpalette(self._palette[:, :3].tobytes())
        file = BytesIO()
        # Hardly larger than what zlib makes of it with more care, in half the time.
        image.save(file, "PNG", transparency=self._palette[:, 3].tobytes(), compress_level=1, compress_type=zlib.Z_RLE)
        return file.getvalue()


def plain(colour: Colour) -> Ramp:
    """The colour, ever more opaque."""
    return np.column_stack((np.tile(np.array(colour, np.float64), (256, 1)), np.arange(256)))


def rimmed(colour: Colour) -> Ramp:
    """A rim in contrast to the colour, and from RIM on the colour instead of it."""
    value = np.arange(256)[:, None]
    mixed = ((value - RIM) / (255 - RIM)).clip(0, 1)
    inks = np.array(contrast(colour)) * (1 - mixed) + np.array(colour) * mixed
    return np.hstack((inks, (value / RIM).clip(0, 1) * 255))
