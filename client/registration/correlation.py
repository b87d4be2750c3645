"""Normalised correlation of two pictures at every shift, of what both have a picture of (Padfield 2012), by FFT."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_COVERED = 0.35
"""Share of the smaller of both tissues that must lie where the other slide has a picture."""

FLATTEST = 1e-3
"""Share of the largest spread of values below which a part is too even to correlate with anything."""

Field = NDArray[np.float32]
"""(h, w)."""


@dataclass(frozen=True)
class Spectra:
    """Of a picture on a canvas."""

    values: Field
    squares: Field
    mask: Field
    """Where there is a picture."""
    tissue: Field
    tissue_px: float


def canvas_for(one: tuple[int, int], reach: int) -> tuple[int, int]:
    """(height, width) on which a picture of so many pixels can be shifted by up to `reach` without meeting itself."""
    height, width = (cv2.getOptimalDFTSize(length + reach) for length in one)
    return height, width


def spectra(values: Field, mask: Field, tissue: Field, canvas: tuple[int, int]) -> Spectra:
    """All (h, w); `mask` and `tissue` from 0 to 1."""
    of = [_spectrum(each, canvas) for each in (values * mask, values * values * mask, mask, tissue)]
    return Spectra(of[0], of[1], of[2], of[3], float(tissue.sum()))


def correlation(fixed: Spectra, moved: Spectra) -> Field:
    """At each shift of the moved one, cyclic; 0 where too little of the tissue is seen by both."""
    count = np.maximum(_at(fixed.mask, moved.mask), 1)
    one, other = _at(fixed.values, moved.mask), _at(fixed.mask, moved.values)
    product = _at(fixed.values, moved.values) - one * other / count
    spread = (_at(fixed.squares, moved.mask) - one**2 / count).clip(0)
    spread = np.sqrt(spread * (_at(fixed.mask, moved.squares) - other**2 / count).clip(0))
    seen = np.minimum(_at(fixed.tissue, moved.mask), _at(fixed.mask, moved.tissue))
    enough = seen >= LEAST_COVERED * min(fixed.tissue_px, moved.tissue_px)
    least = max(FLATTEST * float(spread.max()), 1e-6)
    return np.where(enough, product / spread.clip(least), 0).astype(np.float32)


def _at(one: Field, other: Field) -> Field:
    product = cv2.mulSpectrums(one, other, 0, conjB=True)
    return np.asarray(cv2.idft(product, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT), np.float32)


def _spectrum(values: Field, canvas: tuple[int, int]) -> Field:
    padded = np.zeros(canvas, np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    return np.asarray(cv2.dft(padded), np.float32)
