"""A section stained for one marker, drawn wherever it is asked for.

section -> haematoxylin in nuclei, DAB in those (or at the border of the cells) that express it -> haze, edge, pigment
"""

from collections.abc import Mapping

import numpy as np

from histoserve.phantom.biomarker.cells import Cells
from histoserve.phantom.biomarker.glass import RIM, StainedSection
from histoserve.phantom.biomarker.markers import MARKERS
from histoserve.phantom.biomarker.section import Section
from histoserve.phantom.drawing import Frame
from histoserve.phantom.he.ground import Plane
from histoserve.phantom.he.raster import paste
from histoserve.phantom.ihc.dyes import Dyes
from histoserve.phantom.ihc.pigment import PIGMENT, amounts, grains
from histoserve.phantom.noise import Floats, Ints, hashed, spline
from histoserve.phantom.stain import transmission

TYPES = ("tumour positive", "tumour negative", "other positive", "other negative")
AT_MEMBRANE = ("her2",)
"""Markers of the cell's border; the others are of the nucleus."""

_CHROMATIN, _DAB, _GAPS, _HAZE, _SHADE = range(2150, 2155)

_LOOKS = np.array(
    [
        # inside, at the nuclear membrane, clumps
        (0, 0, 0),
        (0.95, 0.10, 0.10),
        (0.72, 0.18, 0.30),
        (0.42, 0.22, 0.20),
        (0.60, 0.15, 0.20),
        (0.40, 0.26, 0.26),
    ],
    np.float32,
)
"""Haematoxylin in a nucleus by type, units."""

_GROUND = 0.16
"""Haematoxylin of what is no nucleus, at eosin 1 of an H&E."""

_GRANULAR = {"ki67": 0.75, "null": 0.75}
"""How uneven DAB lies in a nucleus; 0.3 for other markers."""

_LINE = 0.55
"""Half the width of a stained cell border, µm."""


class IhcSlide(StainedSection):
    """The drawing of kind "ihc" and of a pair's second slide: see `drawing.Drawing`."""

    types = TYPES

    def __init__(self, section: Section, marker: str, dyes: Dyes, facts: Mapping[str, object]) -> None:
        super().__init__(section, transmission(dyes.haematoxylin, dyes.dab, dyes.lamp), dyes.blur)
        self.marker = marker
        self.dyes = dyes
        self._row = MARKERS.index(marker)
        self._plan = facts
        self._pigment = section.tissue.areas[PIGMENT]

    @property
    def facts(self) -> Mapping[str, object]:
        """What was planned, and the true counts of the slide's cells; looks at all of them."""
        counts = np.zeros(len(TYPES) + 1, np.int64)
        for cells in self.section.everywhere():
            counts += np.bincount(self.types_of(cells), minlength=len(counts))
        tumour = int(counts[1] + counts[2])
        ratio = round(float(counts[1]) / tumour, 4) if tumour else None
        return {**self._plan, "cells": dict(zip(TYPES, counts[1:].tolist(), strict=True)), "ratio": ratio}

    def positive(self, cells: Cells) -> np.ndarray:
        """Which of the cells (N,) express this slide's marker."""
        return cells.positive[:, self._row]

    def types_of(self, cells: Cells) -> Ints:
        """See `StainedSection`."""
        return np.where(cells.tumour, 1, 3) + np.where(self.positive(cells), 0, 1)

    def _dyes(self, frame: Frame) -> tuple[Plane, Plane]:
        x, y = self.section.places(frame)
        shape = (len(y), len(x))
        if self.section.ground.is_bare(x, y):
            return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        solid = self.section.ground.dyes(x, y)[1]
        edge = self._edge(x, y)
        blue, brown = np.float32(_GROUND) * solid, solid * (np.float32(self.dyes.haze) + edge)
        cells = self.section.near(frame)
        self._lay_in_nuclei(blue, brown, cells, frame)
        if self.marker in AT_MEMBRANE:
            self._lay_at_borders(brown, cells, frame)
        brown *= 1 + np.float32(1.5) * edge
        # Of a pale ground, steps of the dye's amount would be seen.
        brown += np.float32(0.006) * spline(self.section.tissue.seed, _HAZE, 0.5, x, y) * (solid > 0)
        brown += grains(self._pigment, self.section.ground, x, y) * np.minimum(solid * 4, 1)
        return blue, brown

    def _edge(self, x: Floats, y: Floats) -> Plane:
        """How much of the edge effect a place has, units of DAB."""
        if not self.dyes.edge:
            return np.zeros((len(y), len(x)), np.float32)
        [inside] = self.section.ground.on_nodes(lambda *at: [self.section.tissue.inside(*at)], x, y)
        return np.float32(self.dyes.edge) * np.clip(1 - inside / np.float32(self.dyes.edge_um), 0, 1)

    def _lay_in_nuclei(self, blue: Plane, brown: Plane, cells: Cells, frame: Frame) -> None:
        mpp, seed = self.section.mpp, self.section.tissue.sown
        depth, number = paste(cells.outlines, cells.centres, frame, RIM / mpp)
        near = np.flatnonzero(number)
        row = number.ravel()[near] - 1
        under = depth.ravel()[near]
        cover = np.clip(under + np.float32(0.5), 0, 1)
        x, y = self.section.places(frame)
        chromatin, pigment = (spline(seed, k, w, x, y).ravel()[near] for k, w in ((_CHROMATIN, 0.8), (_DAB, 0.7)))
        shade = 0.55 + 0.75 * hashed(self.section.tissue.seed, _SHADE, cells.key, np.zeros(1, np.int64))
        laid = self._amounts(cells)
        inside, membrane, clumps = _LOOKS[cells.type[row]].T
        ring = np.clip(1 - abs(under * np.float32(mpp) - np.float32(0.35)) * np.float32(1.6), 0, 1)
        haematoxylin = shade.astype(np.float32)[row] * (inside + membrane * ring + clumps * np.clip(chromatin, -0.6, 1))
        uneven = np.float32(_GRANULAR.get(self.marker, 0.3)) * np.clip(pigment, -0.9, 1.1)
        dab = laid[row] * np.maximum(1 + uneven, 0) + brown.ravel()[near] * np.float32(0.8)
        # What lies under the pigment is hardly seen.
        haematoxylin *= 1 - np.float32(0.6) * np.minimum(laid[row], 1)
        for plane, dye in ((blue, haematoxylin), (brown, dab)):
            flat = plane.reshape(-1)
            flat[near] += (dye - flat[near]) * cover

    def _amounts(self, cells: Cells) -> Plane:
        """DAB in the nuclei (N,), units."""
        if self.marker in AT_MEMBRANE:
            return np.zeros(len(cells), np.float32)
        laid = amounts(self.section.tissue.seed, cells.key, self.dyes.pale)
        return np.where(self.positive(cells), laid, 0).astype(np.float32)

    def _lay_at_borders(self, brown: Plane, cells: Cells, frame: Frame) -> None:
        """A line around each cell that expresses the marker; a faint, broken one around other tumour cells."""
        mpp, seed = self.section.mpp, self.section.tissue.seed
        shown = cells[cells.tumour | self.positive(cells)]
        depth, number = paste(shown.bodies, shown.centres, frame, _LINE / mpp)
        near = np.flatnonzero(number)
        laid = np.where(self.positive(shown), amounts(seed, shown.key, self.dyes.pale), self.dyes.faint).astype(
            np.float32
        )
        x, y = self.section.places(frame)
        gaps = spline(seed, _GAPS, 3.0, x, y).ravel()[near]
        line = np.clip((np.float32(_LINE) - abs(depth.ravel()[near] * np.float32(mpp))) * np.float32(2.5), 0, 1)
        whole = np.clip(1.1 + gaps, 0.3, 1.15)
        brown.reshape(-1)[near] += laid[number.ravel()[near] - 1] * line * whole
