"""The cells of one section: those that both sections hold and those of its own; outlines and expression."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.markers import TUMOUR, key
from histoserve.phantom.biomarker.tissue import BiomarkerTissue
from histoserve.phantom.he.nuclei import Nuclei, joined
from histoserve.phantom.lesion.cells import Population
from histoserve.phantom.noise import Floats, Ints, hashed

_SHARED = 2060


@dataclass(frozen=True)
class Cells:
    """Cells on a slide as columns of one length; `[...]` selects rows."""

    outlines: Floats
    """Of the nuclei, (N, V, 2) in level-0 pixels."""
    bodies: Floats
    """Of the whole cells, likewise."""
    centres: Floats
    """(N, 2), a place in the nucleus that sees its whole outline."""
    key: Ints
    """The cell's own number, the same in every section that holds it."""
    type: Ints
    """Number from 1 in `TYPES`."""
    positive: NDArray[np.bool_]
    """(N, markers)"""

    @property
    def tumour(self) -> NDArray[np.bool_]:
        return np.asarray(self.type == TUMOUR)

    def __getitem__(self, rows: object) -> "Cells":
        return Cells(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.key)


def all_of(parts: Sequence[Cells]) -> Cells:
    """All rows of the parts, in order; at least one part."""
    return Cells(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Cells)))


class SectionPopulation:
    """Nuclei of a section that shares some with the first: see `he.nuclei.Populate`."""

    def __init__(self, first: BiomarkerTissue, own: BiomarkerTissue, shared: float) -> None:
        self._seed = first.seed
        self._first = Population(first)
        self._own = Population(own)
        self._shared = shared

    def __call__(self, i: int, j: int) -> Nuclei:
        """Candidates of row i, column j of the lattice."""
        common = self._first(i, j)
        if self._shared == 1:
            return common
        own = self._own(i, j)
        return joined([common[self._is_shared(common)], own[~self._is_shared(own)]])

    def _is_shared(self, nuclei: Nuclei) -> NDArray[np.bool_]:
        return np.asarray(hashed(self._seed, _SHARED, key(nuclei), np.zeros(1, np.int64)) < self._shared)
