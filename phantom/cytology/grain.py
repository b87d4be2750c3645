"""Textures of cytoplasm, chromatin and mucus: periodic noise at the slide's resolution, cut out anywhere."""

from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

CYTOPLASM, FINE, CLUMPS, STREAKS = range(4)
"""Granules of cytoplasm; finely and coarsely clumped chromatin; strands of mucus."""

_SIDE = 512
"""Pixels after which a texture repeats."""

_SCALES = (((0.5, 0.5, 0.8), (2.5, 2.5, 1.0)), ((0.33, 0.33, 1.0),), ((0.62, 0.62, 1.0),), ((0.5, 7.0, 1.0),))
"""Of each texture, deviation of its blobs across and along in µm, and their share."""

_PIXEL = 0.4
"""A pixel averages like a Gaussian whose deviation is this share of its side."""


def cut_out(grain: int, size: tuple[int, int], mpp: float, random: Random) -> Plane:
    """A piece (h, w) of a texture, upright or turned by 90°: mean 0, deviation 1 or, where pixels average it, less."""
    texture = _texture(grain, mpp)
    if random.random() < 0.5:
        texture = texture.T
    width, height = size
    top, left = random.randrange(_SIDE), random.randrange(_SIDE)
    if max(size) <= _SIDE:
        return texture[top : top + height, left : left + width]
    rows, columns = ((np.arange(n) + first) % _SIDE for n, first in ((height, top), (width, left)))
    return texture[rows[:, None], columns]


@lru_cache(maxsize=64)
def _texture(grain: int, mpp: float) -> Plane:
    """Noise of period _SIDE, (2 * _SIDE, 2 * _SIDE): pieces of up to _SIDE need no wrapping."""
    random = np.random.default_rng(grain)
    shares = [share for _, _, share in _SCALES[grain]]
    total = sum(share * _blobs(random, across, along, mpp) for across, along, share in _SCALES[grain])
    total = np.asarray(total) / np.hypot.reduce(shares)
    if grain == CLUMPS:
        # Clumps stand out from a pale ground: more dark than light.
        total = np.clip(total, -0.9, 2.2)
        total -= total.mean()
    return np.tile(total.astype(np.float32), (2, 2))


def _blobs(random: np.random.Generator, across: float, along: float, mpp: float) -> NDArray[np.float64]:
    down, right = np.fft.fftfreq(_SIDE, mpp)[:, None], np.fft.rfftfreq(_SIDE, mpp)[None, :]
    wide = [np.hypot(scale, _PIXEL * mpp) for scale in (across, along)]
    gain = np.exp(-2 * np.pi**2 * ((down * wide[0]) ** 2 + (right * wide[1]) ** 2))
    # Without the mean, which a small field of large blobs would have.
    gain[0, 0] = 0
    blobs = np.fft.irfft2(np.fft.rfft2(random.normal(size=(_SIDE, _SIDE))) * gain, (_SIDE, _SIDE))
    return np.asarray(blobs / max(blobs.std(), 1e-9) * np.sqrt(across * along / (wide[0] * wide[1])))
