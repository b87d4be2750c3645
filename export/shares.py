"""The truth of a raster of regions, wherever it begins."""

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.lesion.share import Cells


def shares_on(cells: Cells, l0_first: tuple[float, ...], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Lesion cells ÷ all cells of each region, (rows, columns); NaN where there is no cell.

    `l0_first` is the region of row 0, column 0: x, y, width, height.
    """
    rows, columns = shape
    place = np.floor((cells.centroids - l0_first[:2]) / l0_first[2:]).astype(np.int64)
    inside = ((place >= 0) & (place < (columns, rows))).all(axis=1)
    at = place[inside, 1] * columns + place[inside, 0]
    number = np.bincount(at, minlength=rows * columns)
    lesion = np.bincount(at, cells.is_lesion[inside], rows * columns)
    share = np.full(rows * columns, np.nan)
    np.divide(lesion, number, out=share, where=number > 0)
    return share.reshape(rows, columns)
