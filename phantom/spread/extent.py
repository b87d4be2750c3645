"""How far a lesion reaches and where it spreads to, from the share of lesion cells in the regions of a slide."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.noise import Floats

DENSE, SPARSE = 0.5, 0.1
"""A region at or above the first may belong to the primary; one at or above the second is reached by the lesion."""


class Extent(NamedTuple):
    """Of one slide; NaN where there is no primary, or nothing outside it."""

    dense_mm2: float
    sparse_mm2: float
    farthest_um: float
    """From the primary's centre to the centre of the farthest region at or above SPARSE."""
    primary: Floats
    """Its centre, x and y in regions from the raster's corner (2,)."""
    direction: Floats
    """Unit vector (2,) from it to the centre, weighted by share, of all that lies outside it."""


def extent(shares: Floats, region_um: float) -> Extent:
    """The extent that the shares (rows, columns), NaN for no cell, of square regions tell.

    The primary is the largest 8-connected part at or above DENSE (of equals the first by rows), and its centre the mean
    of its regions' centres.
    """
    value = np.nan_to_num(shares)
    mm2 = (region_um / 1000) ** 2
    dense, sparse = (float((value >= least).sum()) * mm2 for least in (DENSE, SPARSE))
    primary = _largest(value >= DENSE)
    if primary is None:
        return Extent(dense, sparse, float("nan"), np.full(2, np.nan), np.full(2, np.nan))
    centre = _places(primary).mean(axis=0)
    away = np.linalg.norm(_places(value >= SPARSE) - centre, axis=1)
    return Extent(dense, sparse, float(away.max()) * region_um, centre, _direction(np.where(primary, 0, value), centre))


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if number < 2:
        return None
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def _direction(outside: Floats, centre: Floats) -> Floats:
    total = outside.sum()
    if total == 0:
        return np.full(2, np.nan)
    there = (_places(outside > 0) * outside[outside > 0][:, None]).sum(axis=0) / total - centre
    length = np.linalg.norm(there)
    return np.asarray(there / length if length > 0 else np.full(2, np.nan))


def _places(mask: NDArray[np.bool_]) -> Floats:
    """Centres (N, 2), x and y in regions, by rows."""
    return np.argwhere(mask)[:, ::-1] + 0.5
