"""Where a raster of values falls to: between neighbours from the larger to the smaller (CN113838558A [0086])."""

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]


def falls(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows, columns), NaN for none → (rows, columns, 2): x to the right and y down, fall of the value for each square.

    The plane through a square that fits its up to 8 neighbours best, downhill; neighbours in one line say nothing about
    across it. Zero where no neighbour has another value or there is none, NaN where the square has no value.
    """
    height = values.astype(np.float64)
    around = np.pad(height, 1, constant_values=np.nan)
    xx, xy, yy, xz, yz = (np.zeros(height.shape) for _ in range(5))
    for row, column in NEIGHBOURS:
        fall = height - around[1 + row : 1 + row + height.shape[0], 1 + column : 1 + column + height.shape[1]]
        there = np.isfinite(fall)
        fall = np.where(there, fall, 0)
        xx += there * column * column
        xy += there * row * column
        yy += there * row * row
        xz += fall * column
        yz += fall * row
    return np.where(np.isfinite(height)[..., None], _solved(xx, xy, yy, xz, yz), np.nan).astype(np.float32)


def _solved(xx: NDArray, xy: NDArray, yy: NDArray, xz: NDArray, yz: NDArray) -> NDArray[np.float64]:
    """The smallest (x, y) that solves the normal equations of each square."""
    # Sums of whole numbers, so exactly zero where the neighbours lie in one line.
    determinant = xx * yy - xy * xy
    in_line = determinant == 0
    # There the matrix is its trace times a projection onto the line, on which the right side lies already.
    divisor = np.where(in_line, np.maximum(xx + yy, 1), determinant)
    x = np.where(in_line, xz, yy * xz - xy * yz) / divisor
    y = np.where(in_line, yz, xx * yz - xy * xz) / divisor
    return np.stack((x, y), -1)
