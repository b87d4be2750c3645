"""Affine maps of the plane, (2, 3): a place (x, y, 1) → another place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
"""(2, 3)."""

Points = NDArray[np.float64]
"""(N, 2), x right, y down."""

FLATTEST = 1e-6
"""Determinant below which a plane is squeezed into a line."""

IDENTITY: Matrix = np.eye(2, 3)


def applied(matrix: Matrix, points: ArrayLike) -> Points:
    """Where the map leads each of the points (N, 2)."""
    return np.asarray(points, np.float64).reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: Matrix) -> Matrix:
    """The way back."""
    (a, b, c), (d, e, f) = matrix.tolist()
    area = a * e - b * d
    return np.array([[e, -b, b * f - c * e], [-d, a, c * d - a * f]]) / area


def after(second: Matrix, first: Matrix) -> Matrix:
    """First the one, then the other."""
    both = second[:, :2] @ first
    both[:, 2] += second[:, 2]
    return both


def scaling(factor: float) -> Matrix:
    """About the origin."""
    return IDENTITY * factor


def moving(by: ArrayLike) -> Matrix:
    """By (x, y)."""
    return np.column_stack([np.eye(2), np.asarray(by, np.float64)])


def is_usable(matrix: NDArray) -> bool:
    """Whether it leads there and back."""
    return matrix.shape == (2, 3) and bool(np.isfinite(matrix).all()) and abs(np.linalg.det(matrix[:, :2])) > FLATTEST


def fitted(here: Points, there: Points, weights: NDArray[np.float64] | None = None) -> Matrix:
    """The map with the least (weighted) squares of distances; ValueError for fewer than three places, or on a line."""
    root = np.sqrt(np.ones(len(here)) if weights is None else weights)[:, None]
    design = np.column_stack([here, np.ones(len(here))])
    solution, _, rank, _ = np.linalg.lstsq(design * root, there * root, rcond=1e-9)
    if rank < 3:
        raise ValueError(f"three places off one line were wanted to fit an affine map, and {len(here)} came")
    return np.ascontiguousarray(solution.T)
