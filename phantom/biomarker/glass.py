"""What every section's drawing does, whatever its stain: dyes -> optics' blur -> colour -> sensor noise."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.biomarker.cells import Cells
from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.drawing import Frame, TrueObject
from histoserve.phantom.he.ground import Plane
from histoserve.phantom.he.raster import paste
from histoserve.phantom.he.slide import blurred
from histoserve.phantom.noise import Ints
from histoserve.phantom.sensor import Sensor
from histoserve.phantom.stain import quantised, stained

RIM = 1.2
"""How far around a nucleus its cell is paler, µm."""

_NOISE = 2.2
"""Deviation of the sensor noise, grey levels."""


class StainedSection(ABC):
    """A drawing of a section with two dyes: see `drawing.Drawing`."""

    types: tuple[str, ...]

    def __init__(self, section: Section, colours: NDArray[np.uint8], blur: float) -> None:
        self.section = section
        self._colours = colours
        self._blur = blur
        self._sensor = Sensor(section.tissue.sown, _NOISE, bank=section.tissue.seed)

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, object]:
        """See `Drawing`."""

    @abstractmethod
    def types_of(self, cells: Cells) -> Ints:
        """Numbers (N,) in `types`."""

    @abstractmethod
    def _dyes(self, frame: Frame) -> tuple[Plane, Plane]:
        """Both dyes of the frame, in units, before the blur."""

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """RGB (h, w, 3) of the frame, which may extend beyond the slide."""
        sigma = self._blur / self.section.mpp
        pad = int(np.ceil(3 * sigma)) if sigma > 0.25 else 0
        x, y, width, height = frame
        planes = [quantised(plane) for plane in self._dyes((x - pad, y - pad, width + 2 * pad, height + 2 * pad))]
        if pad:
            planes = [blurred(plane, 2 * pad + 1, sigma)[pad:-pad, pad:-pad] for plane in planes]
        return self._sensor.exposed(stained(planes[0], planes[1], self._colours), frame)

    def labels(self, frame: Frame, cells: Cells) -> NDArray[np.int32]:
        """Which of the cells' nuclei covers a pixel (h, w), counted from 1: 0 for none."""
        depth, number = paste(cells.outlines, cells.centres, frame, RIM / self.section.mpp)
        return np.where(depth > 0, number, 0)

    def objects(self) -> Iterator[TrueObject]:
        """All nuclei, by lattice cells of the tissue."""
        for cells in self.section.everywhere():
            kinds = self.types_of(cells)
            for kind, outline, positive in zip(kinds, cells.outlines, cells.positive, strict=True):
                yield TrueObject(int(kind), outline, self._told(positive))

    def _told(self, positive: NDArray[np.bool_]) -> Mapping[str, object]:
        """What the truth says of a cell beside its type."""
        return {"positive": [name for name, is_so in zip(MARKERS, positive, strict=True) if is_so]}
