"""A slide stained with haematoxylin and eosin that may hold a lesion, drawn wherever it is asked for.

tissue, growth -> H&E drawing -> blood, fold -> blurred patch -> this slide's dyes and lamp -> pen -> sensor noise
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.drawing import Frame
from histoserve.phantom.he.ground import Plane
from histoserve.phantom.he.nuclei import EPITHELIAL
from histoserve.phantom.he.slide import LOOKS, HeSlide, Material, blurred
from histoserve.phantom.lesion.blood import bleed
from histoserve.phantom.lesion.cells import LESION_TYPE, TYPES, Population
from histoserve.phantom.lesion.marks import fold, stroke
from histoserve.phantom.lesion.share import Cells, centroids
from histoserve.phantom.lesion.stains import stains
from histoserve.phantom.lesion.tissue import BLOOD, BLURRED, LesionTissue
from histoserve.phantom.noise import Floats, hashed_one
from histoserve.phantom.stain import transmission

_FOCUS = 1700
_BLUR = (2.0, 4.5)
"""Deviation of the point spread in the patch out of focus, µm."""

_LOOK = (0.50, 0.40, 0.75, 0.32)
"""Dye in a lesion nucleus: see `he.slide.LOOKS`."""

_CHROMATIN, _SHADES = 1710, (0.72, 1.4)
"""By slide, epithelial nuclei and those of lesion cells hold so much more haematoxylin: darkness tells no lesion."""


class LesionSlide(HeSlide):
    """The drawing of kinds "lesion" and "spread": see `drawing.Drawing`."""

    types = TYPES

    def __init__(
        self,
        tissue: LesionTissue,
        size: tuple[int, int],
        mpp: float,
        *,
        dyes: str = "training",
        facts: Mapping[str, object],
    ) -> None:
        seed = tissue.seed
        chosen = stains(seed, dyes)
        colours = transmission(chosen.haematoxylin, chosen.eosin, chosen.lamp)
        super().__init__(size, mpp, seed, Material(tissue, Population(tissue), looks_of(seed), colours))
        self.tissue = tissue
        self.size = size
        self.mpp = mpp
        self.facts = facts
        self._fold, self._pulled = fold(seed, tissue.size_um)
        self._stroke, self._ink = stroke(seed, tissue.size_um)
        self._sigma = (_BLUR[0] + hashed_one(seed, _FOCUS, 0, 0) * (_BLUR[1] - _BLUR[0])) / mpp

    def nuclei(self, frame: Frame) -> tuple[Floats, Cells]:
        """Outlines (N, V, 2) in level-0 pixels of the nuclei with their centroid in the frame, and their truth."""
        outlines, _, kinds, _ = self._near(frame)
        at = centroids(outlines)
        is_lesion = kinds == LESION_TYPE
        within = np.all((at >= frame[:2]) & (at < np.add(frame[:2], frame[2:])), axis=1)
        return outlines[within], Cells(at[within], is_lesion[within])

    def share(self, frame: Frame) -> float:
        """Lesion cells ÷ all cells of the frame, NaN where there is none: for tiles that are drawn singly."""
        return self.nuclei(frame)[1].share()

    def holds_lesion(self) -> bool:
        """True if there is a lesion cell; looks at all that a small slide has."""
        return bool(self.nuclei((0, 0, *self.size))[1].is_lesion.any())

    def _dyes(self, frame: Frame) -> tuple[Plane, Plane]:
        x, y = self._places(frame)
        haematoxylin, eosin = self._with_blood(frame)
        if self._fold.is_near(x, y):
            cover = self._fold.cover(x, y)
            down, across = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
            if len(down):
                part = (slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1))
                shift = round(self._pulled / self._mpp)
                corner = (frame[0] + int(across[0]) + shift, frame[1] + int(down[0]) + shift // 2)
                height, width = cover[part].shape
                over = self._with_blood((*corner, width, height))
                # The upper layer is there only where the lower is: no fold on bare glass.
                folded = cover[part] * np.clip((haematoxylin[part] + eosin[part]) * np.float32(12), 0, 1)
                haematoxylin[part] += folded * over[0]
                eosin[part] += folded * over[1]
        return haematoxylin, eosin

    def _with_blood(self, frame: Frame) -> tuple[Plane, Plane]:
        haematoxylin, eosin = super()._dyes(frame)
        bleed(haematoxylin, eosin, self.tissue.areas[BLOOD], *self._places(frame))
        return haematoxylin, eosin

    def _planes(self, frame: Frame) -> list[NDArray[np.uint8]]:
        weight = np.clip(self.tissue.areas[BLURRED].depth_on(*self._places(frame)) / 40, 0, 1)
        if self._sigma < 0.3 or not weight.any():
            return super()._planes(frame)
        pad = int(np.ceil(3 * self._sigma))
        x, y, width, height = frame
        planes = super()._planes((x - pad, y - pad, width + 2 * pad, height + 2 * pad))
        within = (slice(pad, pad + height), slice(pad, pad + width))
        return [_mixed(plane, blurred(plane, 2 * pad + 1, self._sigma), within, weight) for plane in planes]

    def _seen(self, image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        x, y = self._places(frame)
        if not self._stroke.is_near(x, y):
            return image
        cover = self._stroke.cover(x, y)[:, :, None]
        return np.asarray(image * (1 - cover * (1 - self._ink.astype(np.float32))), np.float32).astype(np.uint8)

    def _places(self, frame: Frame) -> tuple[Floats, Floats]:
        """Columns and rows of the frame's pixel centres, µm."""
        x, y = ((np.arange(n) + start + 0.5) * self._mpp for start, n in zip(frame[:2], frame[2:], strict=True))
        return x, y


def looks_of(seed: int) -> Plane:
    """`he.slide.LOOKS` of a slide, with a row for the nuclei of lesion cells."""
    looks = np.vstack([LOOKS, np.array([_LOOK], np.float32)])
    for row in (EPITHELIAL, LESION_TYPE):
        looks[row, 0] *= _SHADES[0] + hashed_one(seed, _CHROMATIN, row, 0) * (_SHADES[1] - _SHADES[0])
    return looks


def _mixed(
    sharp: NDArray[np.uint8], soft: NDArray[np.uint8], within: tuple[slice, slice], weight: Floats
) -> NDArray[np.uint8]:
    part = sharp[within]
    return np.asarray(part + weight * (soft[within].astype(np.float64) - part) + 0.5).astype(np.uint8)
