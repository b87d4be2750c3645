"""Noise of the camera's sensor: a function of the place alone, in tiles cut from one bank of random numbers."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.drawing import Frame
from histoserve.phantom.noise import hashed_one

_TILE = 256
_CHANNEL = 203
_BANK = 2**20
_MOST = 9
"""Largest noise, grey levels."""


class Sensor:
    """The sensor that one slide was scanned with; `deviation` of its noise in grey levels.

    Slides that name the same `bank` share its random numbers, each in an order of its own.
    """

    def __init__(self, seed: int, deviation: float, bank: int) -> None:
        self._seed = seed
        self._source = (bank, deviation)

    def exposed(self, image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """The RGB image (h, w, 3) of a frame with its noise."""
        x, y, width, height = frame
        noise = np.empty(image.shape, np.int16)
        for i in range(y // _TILE, (y + height - 1) // _TILE + 1):
            for j in range(x // _TILE, (x + width - 1) // _TILE + 1):
                top, left = i * _TILE - y, j * _TILE - x
                rows = slice(max(top, 0), min(top + _TILE, height))
                columns = slice(max(left, 0), min(left + _TILE, width))
                tile = self._tile(i, j)
                noise[rows, columns] = tile[
                    rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
                ]
        noise += image
        return np.clip(noise, 0, 255, out=noise).astype(np.uint8)

    def _tile(self, i: int, j: int) -> NDArray[np.int8]:
        length = _TILE * _TILE * 3
        start = int(hashed_one(self._seed, _CHANNEL, i, j) * (_BANK - length))
        return _bank(*self._source)[start : start + length].reshape(_TILE, _TILE, 3)


@lru_cache(maxsize=4)
def _bank(seed: int, deviation: float) -> NDArray[np.int8]:
    noise = np.random.default_rng(seed).normal(0, deviation, _BANK)
    return np.clip(np.rint(noise), -_MOST, _MOST).astype(np.int8)
