"""A section stained with haematoxylin and eosin, with a weak sign of each marker but `null`.

Ki67: mitoses and coarse chromatin. ER: small even nuclei. PR: none of its own, it follows ER. HER2: cell borders.
What a sign adds in one place it takes from another, so that neither the colour nor the number of cells tells of it.
"""

from collections.abc import Mapping

import numpy as np

from histoserve.phantom.biomarker.cells import Cells
from histoserve.phantom.biomarker.coarse import coverage
from histoserve.phantom.biomarker.glass import RIM, StainedSection
from histoserve.phantom.biomarker.markers import ER, HER2, KI67, MARKERS
from histoserve.phantom.biomarker.section import COARSE_MPP, Section
from histoserve.phantom.biomarker.signs import dividing
from histoserve.phantom.drawing import Frame
from histoserve.phantom.he.ground import Plane
from histoserve.phantom.he.raster import paste
from histoserve.phantom.lesion.blood import bleed
from histoserve.phantom.lesion.cells import TYPES as LESION_TYPES
from histoserve.phantom.lesion.slide import looks_of
from histoserve.phantom.lesion.stains import stains
from histoserve.phantom.lesion.tissue import BLOOD
from histoserve.phantom.noise import Floats, Ints, hashed, spline
from histoserve.phantom.stain import transmission

TYPES = (*LESION_TYPES[:-1], "tumour")

_FINE, _COARSE, _GAPS, _STRENGTH, _SHADE = range(2200, 2205)
_BLUR = 0.2
"""Deviation of the optics' point spread, µm."""

_COARSER, _KEEPS = 0.75, 0.10
"""Haematoxylin that chromatin of a Ki67-positive cell holds more in its clumps, and less elsewhere."""

_PLATE = (1.45, 0.0, 0.5, 0.30)
"""A mitotic figure: see `he.slide.LOOKS`."""

_EVENER, _DEEPER = 0.4, 1.14
"""Factors of an ER-positive nucleus on its clumps, and on all its dye: it is smaller."""

_LINE, _BORDER, _PALER = 0.5, 0.34, 0.10
"""Of a HER2-positive cell: half the width of its border, µm; eosin there, and what the rest of the cell has less."""


class BiomarkerSlide(StainedSection):
    """The drawing of kind "biomarker": see `drawing.Drawing`."""

    types: tuple[str, ...] = TYPES

    def __init__(self, section: Section, within: str) -> None:
        seed = section.tissue.seed
        chosen = stains(seed, within)
        super().__init__(section, transmission(chosen.haematoxylin, chosen.eosin, chosen.lamp), _BLUR)
        self._stains = within
        self._looks = looks_of(seed)

    @property
    def facts(self) -> Mapping[str, object]:
        """What was planned, and the true ratios of the slide's tumour cells, None without any; looks at all cells."""
        positive, tumour, number = np.zeros(len(MARKERS)), 0, 0
        for cells in self.cells():
            positive += cells.positive[cells.tumour].sum(axis=0)
            tumour += int(cells.tumour.sum())
            number += len(cells)
        ratios = [round(float(n) / tumour, 4) if tumour else None for n in positive]
        levels = [round(self.section.expression.levels[name], 4) for name in MARKERS]
        return {
            "stains": self._stains,
            "share_of_tissue": round(self.section.tissue.share, 4),
            "levels": dict(zip(MARKERS, levels, strict=True)),
            "cells": number,
            "tumour": tumour,
            "ratios": dict(zip(MARKERS, ratios, strict=True)),
        }

    def types_of(self, cells: Cells) -> Ints:
        """See `StainedSection`."""
        return cells.type

    def _dyes(self, frame: Frame) -> tuple[Plane, Plane]:
        x, y = self.section.places(frame)
        if self.section.ground.is_bare(x, y):
            return np.zeros((len(y), len(x)), np.float32), np.zeros((len(y), len(x)), np.float32)
        haematoxylin, eosin = self.section.ground.dyes(x, y)
        if self.section.mpp > COARSE_MPP:
            self._lay_covered(haematoxylin, eosin, x, y)
        else:
            cells = self.section.near(frame)
            self._lay_borders(eosin, cells, frame)
            self._lay_nuclei(haematoxylin, eosin, cells, frame)
        bleed(haematoxylin, eosin, self.section.tissue.areas[BLOOD], x, y)
        return haematoxylin, eosin

    def _lay_covered(self, haematoxylin: Plane, eosin: Plane, x: Floats, y: Floats) -> None:
        for kind, part in coverage(self.section, x, y).of_type.items():
            haematoxylin += part * (self._looks[kind, 0] - haematoxylin)
            eosin += part * (self._looks[kind, 3] - eosin)

    def _lay_borders(self, eosin: Plane, cells: Cells, frame: Frame) -> None:
        mpp = self.section.mpp
        shown = cells[cells.tumour & cells.positive[:, HER2]]
        depth, number = paste(shown.bodies, shown.centres, frame, _LINE / mpp)
        near = np.flatnonzero(number)
        under = depth.ravel()[near] * np.float32(mpp)
        x, y = self.section.places(frame)
        gaps = np.clip(1.0 + spline(self.section.tissue.seed, _GAPS, 4.0, x, y).ravel()[near], 0.2, 1.2)
        line = np.clip((np.float32(_LINE) - abs(under)) * np.float32(2.5), 0, 1) * gaps
        flat = eosin.reshape(-1)
        # None in a hollow that the cell's border would reach into.
        strength = self._strength(shown)[number.ravel()[near] - 1] * np.minimum(flat[near] * 6, 1)
        flat[near] += strength * (_BORDER * line - _PALER * np.clip(under - np.float32(_LINE), 0, 1))
        np.maximum(flat, 0, out=flat)

    def _lay_nuclei(self, haematoxylin: Plane, eosin: Plane, cells: Cells, frame: Frame) -> None:
        mpp, seed = self.section.mpp, self.section.tissue.seed
        depth, number = paste(cells.outlines, cells.centres, frame, RIM / mpp)
        near = np.flatnonzero(number)
        row = number.ravel()[near] - 1
        under = depth.ravel()[near]
        cover = np.clip(under + np.float32(0.5), 0, 1)
        under = under * np.float32(mpp)
        x, y = self.section.places(frame)
        fine, coarse = (spline(seed, k, w, x, y).ravel()[near] for k, w in ((_FINE, 0.75), (_COARSE, 1.5)))
        looks, shade, coarser = self._looks_of(cells)
        base, membrane, clumps, pink = looks[row].T
        ring = np.clip(1 - abs(under - np.float32(0.3)) * np.float32(1.6), 0, 1)
        clump = clumps * _clumped(fine) + coarser[row] * (np.float32(_COARSER) * _clumped(coarse) - np.float32(_KEEPS))
        blue = shade[row] * np.maximum(base + membrane * ring + clump, 0)
        pale = 1 - np.float32(0.35) * np.clip(1 + under / np.float32(RIM), 0, 1)
        for plane, dye in ((haematoxylin, blue), (eosin, pink)):
            flat = plane.reshape(-1)
            flat[near] = flat[near] * pale * (1 - cover) + dye * cover

    def _looks_of(self, cells: Cells) -> tuple[Plane, Plane, Plane]:
        """Of each cell a row as in `he.slide.LOOKS`, a factor on it, and how coarse its chromatin is, 0-1."""
        seed = self.section.tissue.seed
        looks = self._looks[cells.type].copy()
        even = cells.tumour & cells.positive[:, ER]
        looks[even, 2] *= _EVENER
        plates = dividing(seed, cells.key, cells.type, cells.positive)
        looks[plates] = np.array(_PLATE, np.float32)
        shade = 0.78 + 0.44 * hashed(seed, _SHADE, cells.key, np.zeros(1, np.int64))
        shade *= np.where(even, _DEEPER, 1.0)
        coarser = np.where(cells.tumour & cells.positive[:, KI67] & ~plates, self._strength(cells), 0)
        return looks, shade.astype(np.float32), coarser.astype(np.float32)

    def _strength(self, cells: Cells) -> Plane:
        """How plainly a cell shows what it has, 0-1."""
        drawn = hashed(self.section.tissue.seed, _STRENGTH, cells.key, np.zeros(1, np.int64))
        return np.asarray(0.3 + 0.7 * drawn, np.float32)


def _clumped(noise: Plane) -> Plane:
    return np.clip(noise * np.float32(1.1), -0.35, 1.2)
