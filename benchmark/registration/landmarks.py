"""Pairs with known landmarks: how far a matrix misses them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoserve.client.registration.affine import Matrix, Points, applied, fitted


@dataclass(frozen=True)
class Pair:
    """Two slides of one tissue, and places that are the same on both."""

    name: str
    he: Path
    ihc: Path
    mpp: tuple[float, float]
    """Of the H&E and the IHC, µm per level-0 px."""
    he_points: Points
    ihc_points: Points
    """(N, 2) each, level-0 px."""
    diagonal: float
    """Of the IHC's tissue as it came, in its px: what errors are told relative to."""

    def error(self, matrix: Matrix) -> float:
        """Median distance from where the matrix has the landmarks to where they are, ÷ the diagonal (ANHIR's rTRE)."""
        away = applied(matrix, self.he_points) - self.ihc_points
        return float(np.median(np.hypot(*away.T))) / self.diagonal

    @property
    def best(self) -> Matrix:
        """By least squares of the landmarks themselves: no affine registration can count on less."""
        return fitted(self.he_points, self.ihc_points)


def read_points(file: Path) -> dict[str, tuple[float, float]]:
    """Of a CSV with a number, X and Y in each row."""
    with file.open(newline="") as lines:
        return {row[""]: (float(row["X"]), float(row["Y"])) for row in csv.DictReader(lines)}


def shared(he: Path, ihc: Path) -> tuple[Points, Points]:
    """The landmarks that both files number."""
    one, other = read_points(he), read_points(ihc)
    numbers = [number for number in one if number in other]
    return np.array([one[number] for number in numbers]), np.array([other[number] for number in numbers])
