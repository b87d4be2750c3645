"""The simplest value of a region: how much haematoxylin it holds, since nuclei do (Ruifrok and Johnston, 2001)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HAEMATOXYLIN, EOSIN = (0.650, 0.704, 0.286), (0.072, 0.990, 0.105)
"""Optical density of red, green and blue."""


def haematoxylin(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB (N, H, W, 3) → (N,): mean optical density of haematoxylin, beside eosin."""
    own = np.linalg.pinv(np.array([HAEMATOXYLIN, EOSIN]))[:, 0]
    density = -np.log10((np.arange(256) + 1) / 256)
    return np.array([(density[image].mean((0, 1)) * own).sum() for image in images])


def as_shares(
    measured: Sequence[NDArray[np.float64]], shares: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """On the straight line that fits the true shares of all slides best, cut to 0-1: in this baseline's favour.

    Of each slide (N,) or a raster of any shape; where either is NaN nothing is fitted.
    """
    x, y = (np.concatenate([each.ravel() for each in both]) for both in (measured, shares))
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < 2 or np.ptp(x[known]) == 0:
        return [np.where(np.isfinite(each), np.nanmean([0.0, *y[known]]), np.nan) for each in measured]
    slope, offset = np.polyfit(x[known], y[known], 1)
    return [np.clip(slope * each + offset, 0, 1) for each in measured]
