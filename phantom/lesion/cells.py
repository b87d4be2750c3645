"""The nuclei of lesion cells, and those of all others around them."""

import numpy as np

from histoserve.phantom.he.nuclei import CELL, Nuclei, Residents, joined
from histoserve.phantom.he.nuclei import TYPES as NORMAL_TYPES
from histoserve.phantom.lesion.tissue import LesionTissue
from histoserve.phantom.noise import hashed, hashed_one

TYPES = (*NORMAL_TYPES, "lesion")
LESION_TYPE = len(TYPES)
_PER_SIDE = 14
_CHANNEL, _SLIDE = 1300, 1320
_SIZES = (3.4, 6.9)
"""Smallest and largest long half axis, µm."""


class Population:
    """All nuclei of a tissue with a growth: see `he.nuclei.Populate`."""

    def __init__(self, tissue: LesionTissue) -> None:
        self._tissue = tissue
        self._residents = Residents(tissue)
        self._scale = 0.95 + 0.12 * hashed_one(tissue.seed, _SLIDE, 0, 0)

    def __call__(self, i: int, j: int) -> Nuclei:
        """Candidates of row i, column j of the lattice; a gland's nuclei that an island grew over are gone."""
        residents = self._residents(i, j)
        overgrown = self._tissue.growth.depth(residents.x, residents.y) > -2
        return joined([residents[~overgrown], self._lesion(i, j)])

    def _lesion(self, i: int, j: int) -> Nuclei:
        row, column = (
            grid.ravel() + k * _PER_SIDE for grid, k in zip(np.mgrid[:_PER_SIDE, :_PER_SIDE], (i, j), strict=True)
        )
        growth = self._tissue.growth
        draw = np.stack([hashed(self._tissue.sown, _CHANNEL + k, row, column) for k in range(7)])
        x = (column + 0.5 + 0.85 * (draw[0] - 0.5)) * CELL / _PER_SIDE
        y = (row + 0.5 + 0.85 * (draw[1] - 0.5)) * CELL / _PER_SIDE
        depth = growth.depth(x, y)
        nested = (depth > 3.5) & (growth.hollow(x, y) > 3.5) & (draw[2] < 0.94)
        single = (self._tissue.epithelium(x, y)[0] < -5) & (draw[2] < growth.singles(x, y))
        taken = np.nonzero(nested | single)[0]
        x, y, draw = x[taken], y[taken], draw[:, taken]
        long = self._scale * (_SIZES[0] + draw[3] ** 1.3 * (_SIZES[1] - _SIZES[0]))
        short = long * (0.66 + 0.34 * draw[4])
        # A single cell must not fall to the first stromal nucleus beside it.
        rank = np.where(nested[taken], draw[6], 0.5 + 0.5 * draw[6])
        kind = np.full(len(taken), LESION_TYPE)
        return Nuclei(x, y, long, short, np.pi * draw[5], kind, rank)
