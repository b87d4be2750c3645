"""One section of a tissue on its glass: which cells lie where, in the slide's pixels."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from histoserve.phantom.biomarker.cells import Cells, SectionPopulation, all_of
from histoserve.phantom.biomarker.markers import Expression, key
from histoserve.phantom.biomarker.placement import STILL, Placement
from histoserve.phantom.biomarker.signs import shaped
from histoserve.phantom.biomarker.tissue import BiomarkerTissue
from histoserve.phantom.drawing import Frame
from histoserve.phantom.he.ground import Ground
from histoserve.phantom.he.nuclei import CELL, REACH, VERTICES, NucleiMap
from histoserve.phantom.lesion.share import centroids
from histoserve.phantom.noise import Floats

_BODY = 2.6
"""Of a cell that has room, around its nucleus, µm."""

_LARGEST = 1.45
"""No placement enlarges more, either way."""

_LAST_DIGITS = np.tile([[0.003, 0.001], [0.001, 0.001]], (VERTICES // 2, 1))
"""As `he.slide` has them: no edge passes exactly through the centre of a pixel."""


class Section:
    """A section; `tissue` is its own, `first` that of the section which it shares part of its cells with."""

    def __init__(
        self,
        tissue: BiomarkerTissue,
        expression: Expression,
        size: tuple[int, int],
        mpp: float,
        *,
        first: BiomarkerTissue | None = None,
        shared: float = 1.0,
        placement: Placement = STILL,
    ) -> None:
        self.tissue = tissue
        self.expression = expression
        self.size = size
        self.mpp = mpp
        self.placement = placement
        self.ground = Ground(tissue, placement.to_tissue)
        populate = SectionPopulation(first or tissue, tissue, shared)
        self._nuclei = NucleiMap(tissue, max(0.16, 0.05 * mpp), populate)
        self._of_cell = lru_cache(maxsize=1024)(self._find)

    def places(self, frame: Frame) -> tuple[Floats, Floats]:
        """Columns and rows of the frame's pixel centres, µm."""
        x, y = ((np.arange(n) + start + 0.5) * self.mpp for start, n in zip(frame[:2], frame[2:], strict=True))
        return x, y

    def near(self, frame: Frame) -> Cells:
        """All cells that may reach into the frame, and others near it; by rows of lattice cells."""
        corners = [(frame[0] + dx * frame[2], frame[1] + dy * frame[3]) for dx in (0, 1) for dy in (0, 1)]
        at = np.array(corners, np.float64).T * self.mpp
        reach = self.placement.bend + 1.5 * REACH
        (x0, x1), (y0, y1) = ((axis.min() - reach, axis.max() + reach) for axis in self._unbent(at))
        rows, columns = ((int(np.floor(a / CELL)), int(np.floor(b / CELL))) for a, b in ((y0, y1), (x0, x1)))
        lattice = [(i, j) for i in range(rows[0], rows[1] + 1) for j in range(columns[0], columns[1] + 1)]
        near = self._reach_into(np.array(lattice), frame)
        return all_of([self._of_cell(*lattice[0])[:0], *(self._of_cell(*lattice[k]) for k in np.flatnonzero(near))])

    def within(self, frame: Frame) -> Cells:
        """The cells whose nucleus has its centroid in the frame."""
        cells = self.near(frame)
        at = centroids(cells.outlines)
        return cells[np.all((at >= frame[:2]) & (at < np.add(frame[:2], frame[2:])), axis=1)]

    def everywhere(self) -> Iterator[Cells]:
        """All cells of the slide, each once, by lattice cells of the tissue."""
        columns, rows = (int(np.ceil(length / CELL)) for length in self.tissue.size_um)
        for i in range(rows):
            for j in range(columns):
                yield self._of_cell(i, j)

    def _unbent(self, at: Floats) -> Floats:
        """Places of the tissue (2, N) for places of the slide, were nothing bent."""
        matrix = self.placement.matrix
        return np.asarray(np.linalg.inv(matrix[:, :2]) @ (at - matrix[:, 2:]))

    def _reach_into(self, lattice: Floats, frame: Frame) -> Floats:
        """Whether what lies in lattice cells (N, 2), row and column, may reach into the frame: (N,)."""
        x, y = self.placement.to_slide((lattice[:, 1] + 0.5) * CELL, (lattice[:, 0] + 0.5) * CELL)
        reach = _LARGEST * (CELL * 0.7072 + 1.5 * REACH) / self.mpp
        left, top, width, height = frame
        x, y = x / self.mpp - left, y / self.mpp - top
        return np.asarray((x > -reach) & (x < width + reach) & (y > -reach) & (y < height + reach))

    def _find(self, i: int, j: int) -> Cells:
        """The cells of a lattice cell that lie on the slide."""
        nuclei, outlines = self._nuclei.cell(i, j)
        positive = self.expression.positive(nuclei)
        outlines = self._on_slide(shaped(self.tissue.seed, nuclei, outlines, positive))
        bodies = self._on_slide(self._nuclei.bodies(i, j, _BODY))
        centres = np.stack(self.placement.to_slide(nuclei.x, nuclei.y), axis=1) / self.mpp
        cells = Cells(outlines, bodies, centres, key(nuclei), nuclei.type, positive)
        return cells[np.all((outlines >= 0) & (outlines <= self.size), axis=(1, 2))]

    def _on_slide(self, outlines: Floats) -> Floats:
        """Outlines in µm of the tissue as level-0 pixels, three decimals, vertices by growing angle from x to y."""
        placed = np.stack(self.placement.to_slide(outlines[..., 0], outlines[..., 1]), axis=2) / self.mpp
        if self.placement.mirrored:
            placed = placed[:, ::-1]
        return np.asarray(np.round(np.round(placed, 2) + _LAST_DIGITS, 3))
