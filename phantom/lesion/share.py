"""Lesion cells ÷ all cells of a region or a raster of them; the same from a drawing and from its truth file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.noise import Floats


class Cells(NamedTuple):
    """Nuclei of a slide or a part of it."""

    centroids: Floats
    """(N, 2): x, y in level-0 pixels, two decimals."""
    is_lesion: NDArray[np.bool_]
    """(N,)"""

    def share(self) -> float:
        """Of all cells that are lesion cells; NaN where there is none."""
        return float(self.is_lesion.mean()) if len(self.is_lesion) else float("nan")

    def shares(self, size: tuple[int, int], region_px: float) -> Floats:
        """The share in each square region of a raster from the top left, (rows, columns), NaN without a cell.

        `size` is the slide's width and height in level-0 pixels; the last column and row may reach beyond it.
        """
        columns, rows = (int(np.ceil(length / region_px)) for length in size)
        column, row = (self.centroids // region_px).astype(np.int64).T
        at = np.minimum(row, rows - 1) * columns + np.minimum(column, columns - 1)
        number = np.bincount(at, minlength=rows * columns)
        lesion = np.bincount(at, self.is_lesion, rows * columns)
        share = np.full(rows * columns, np.nan)
        np.divide(lesion, number, out=share, where=number > 0)
        return share.reshape(rows, columns)


def cells_of(truth: Path) -> Cells:
    """The nuclei in a truth file of a kind that has a type "lesion"."""
    return cells_in(json.loads(truth.read_text(encoding="utf-8"))["features"])


def cells_in(features: Sequence[Mapping[str, Any]]) -> Cells:
    """The same of what such a file holds, read already."""
    at = [feature["properties"]["centroid"] for feature in features]
    names = [feature["properties"]["name"] for feature in features]
    return Cells(np.array(at, np.float64).reshape(-1, 2), np.array(names, dtype=object) == "lesion")


def centroids(outlines: Floats) -> Floats:
    """Centroids (N, 2) of simple polygons (N, V, 2), two decimals as in a truth file."""
    origin = outlines[:, :1]
    here = outlines - origin
    following = np.roll(here, -1, axis=1)
    cross = here[..., 0] * following[..., 1] - following[..., 0] * here[..., 1]
    area = 3 * cross.sum(axis=1)
    return np.round(((here + following) * cross[..., None]).sum(axis=1) / area[:, None] + origin[:, 0], 2)
