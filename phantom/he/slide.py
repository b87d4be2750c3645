"""A slide stained with haematoxylin and eosin, drawn wherever it is asked for.

architecture (every 2 µm) -> dye in the ground -> dye in nuclei -> optics' blur -> colour -> sensor noise
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.drawing import Frame, TrueObject
from histoserve.phantom.he.ground import Ground, Plane
from histoserve.phantom.he.nuclei import CELL, REACH, TYPES, VERTICES, NucleiMap, Populate, Residents
from histoserve.phantom.he.raster import paste
from histoserve.phantom.he.tissue import Tissue
from histoserve.phantom.noise import Floats, Ints, spline
from histoserve.phantom.sensor import Sensor
from histoserve.phantom.stain import quantised, stained, transmission

_BLUR = 0.2
"""Deviation of the optics' point spread, µm."""

_NOISE = 2.2
"""Deviation of the sensor noise, grey levels."""

_RIM = 1.2
"""How far around a nucleus its cell is paler, µm."""

_CHROMATIN = 202
_LAST_DIGITS = np.tile([[0.003, 0.001], [0.001, 0.001]], (VERTICES // 2, 1))
"""With these third decimals of vertices no edge can pass exactly through the centre of a pixel (the cross product is 2
or 8 modulo 10), so every way to fill an outline by pixel centres gives the same mask."""

LOOKS = np.array(
    [
        # inside, membrane, clumps, eosin
        (0, 0, 0, 0),
        (1.45, 0.10, 0.10, 0.45),
        (1.02, 0.30, 0.60, 0.38),
        (0.40, 0.75, 0.70, 0.30),
        (0.58, 0.35, 0.50, 0.32),
    ],
    np.float32,
)
"""Dye in a nucleus by type: haematoxylin, how much more of it at the membrane and in clumps of chromatin; eosin."""


@dataclass(frozen=True)
class Material:
    """What a slide is drawn from."""

    tissue: Tissue
    populate: Populate
    looks: Plane
    """As `LOOKS`, a row for each type."""
    colours: NDArray[np.uint8]
    """As `stain.transmission` gives."""


class HeSlide:
    """The drawing of kind "he": see `drawing.Drawing`."""

    types: tuple[str, ...] = TYPES
    facts: Mapping[str, object] = MappingProxyType({})

    def __init__(self, size: tuple[int, int], mpp: float, seed: int, material: Material | None = None) -> None:
        self._size = size
        self._mpp = mpp
        self._seed = seed
        material = material or _plain(size, mpp, seed)
        self._ground = Ground(material.tissue)
        # Rounded vertices must stay on their side: the gap is wider than the rounding at any resolution.
        self._nuclei = NucleiMap(material.tissue, max(0.12, 0.04 * mpp), material.populate)
        self._sensor = Sensor(seed, _NOISE, bank=seed)
        self._looks = material.looks
        self._colours = material.colours

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """RGB (h, w, 3) of the frame, which may extend beyond the slide."""
        haematoxylin, eosin = self._planes(frame)
        return self._sensor.exposed(self._seen(stained(haematoxylin, eosin, self._colours), frame), frame)

    def _planes(self, frame: Frame) -> list[NDArray[np.uint8]]:
        """8-bit amounts of haematoxylin and eosin (h, w), as the optics blur them."""
        sigma = _BLUR / self._mpp
        pad = int(np.ceil(3 * sigma)) if sigma > 0.25 else 0
        x, y, width, height = frame
        planes = [quantised(plane) for plane in self._dyes((x - pad, y - pad, width + 2 * pad, height + 2 * pad))]
        if pad:
            planes = [blurred(plane, 2 * pad + 1, sigma) for plane in planes]
        return [plane[pad : pad + height, pad : pad + width] for plane in planes]

    def _seen(self, image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
        """What reaches the sensor: the RGB image (h, w, 3) of the stained tissue, here as it is."""
        return image

    def labels(self, frame: Frame) -> NDArray[np.int32]:
        """Which nucleus covers a pixel (h, w): 0 for none; the numbers hold within this frame only."""
        depth, number, _, _ = self._pasted(frame)
        return np.where(depth > 0, number, 0)

    def objects(self) -> Iterator[TrueObject]:
        """All nuclei, by rows of lattice cells, and in each cell from the top."""
        columns, rows = (int(np.ceil(length * self._mpp / CELL)) for length in self._size)
        for i in range(rows):
            for j in range(columns):
                outlines, _, kinds, _ = self._of_cell(i, j)
                yield from (TrueObject(int(k), outline) for k, outline in zip(kinds, outlines, strict=True))

    def _dyes(self, frame: Frame) -> tuple[Plane, Plane]:
        """Haematoxylin and eosin, in units, before the blur."""
        x, y = ((np.arange(n) + start + 0.5) * self._mpp for start, n in zip(frame[:2], frame[2:], strict=True))
        if self._ground.is_bare(x, y):
            return np.zeros((len(y), len(x)), np.float32), np.zeros((len(y), len(x)), np.float32)
        haematoxylin, eosin = self._ground.dyes(x, y)
        depth, number, kinds, shades = self._pasted(frame)
        near = np.nonzero(number.ravel())[0]
        if len(near) == 0:
            return haematoxylin, eosin
        row = number.ravel()[near] - 1
        under = depth.ravel()[near]
        cover = np.clip(under + np.float32(0.5), 0, 1)
        pale = 1 - np.float32(0.35) * np.clip(1 + under * np.float32(self._mpp / _RIM), 0, 1)
        chromatin = spline(self._seed, _CHROMATIN, 0.75, x, y).ravel()[near]
        inside = _nuclear_dyes(under * np.float32(self._mpp), chromatin, self._looks[kinds[row]], shades[row])
        for plane, dye in zip((haematoxylin, eosin), inside, strict=True):
            flat = plane.reshape(-1)
            flat[near] = flat[near] * pale * (1 - cover) + dye * cover
        return haematoxylin, eosin

    def _pasted(self, frame: Frame) -> tuple[Plane, NDArray[np.int32], Ints, Plane]:
        """Depth in pixels and number of the nucleus at each pixel, and types and shades by number − 1."""
        outlines, centres, kinds, shades = self._near(frame)
        depth, number = paste(outlines, centres, frame, _RIM / self._mpp)
        return depth, number, kinds, shades

    def _near(self, frame: Frame) -> tuple[Floats, Floats, Ints, Plane]:
        """As `_of_cell`, of all lattice cells with nuclei that may reach into the frame."""
        x, y, width, height = frame
        spans = [
            range(
                int(np.floor((a * self._mpp - REACH) / CELL)), int(np.floor(((a + n) * self._mpp + REACH) / CELL)) + 1
            )
            for a, n in ((x, width), (y, height))
        ]
        cells = [self._of_cell(i, j) for i in spans[1] for j in spans[0]]
        outlines, centres, kinds, shades = (np.concatenate(parts) for parts in zip(*cells, strict=True))
        return outlines, centres, kinds, shades

    def _of_cell(self, i: int, j: int) -> tuple[Floats, Floats, Ints, Plane]:
        """Outlines (N, V, 2), centres (N, 2) in pixels, types and shades of a cell's nuclei that lie on the slide."""
        nuclei, outlines = self._nuclei.cell(i, j)
        outlines = np.round(np.round(outlines / self._mpp, 2) + _LAST_DIGITS, 3)
        on_slide = np.all((outlines >= 0) & (outlines <= self._size), axis=(1, 2))
        centres = np.stack([nuclei.x, nuclei.y], axis=1) / self._mpp
        shades = (0.78 + 0.44 * np.mod(nuclei.rank * 977, 1)).astype(np.float32)
        return outlines[on_slide], centres[on_slide], nuclei.type[on_slide], shades[on_slide]


def _plain(size: tuple[int, int], mpp: float, seed: int) -> Material:
    tissue = Tissue(seed, (size[0] * mpp, size[1] * mpp))
    return Material(tissue, Residents(tissue), LOOKS, transmission())


def blurred(plane: NDArray[np.uint8], width: int, sigma: float) -> NDArray[np.uint8]:
    """The plane after a Gaussian of deviation `sigma` px, cut off at `width` px across."""
    # On bytes OpenCV blurs in fixed point, so a pixel does not depend on its block.
    return np.asarray(cv2.GaussianBlur(plane, (width, width), sigma), np.uint8)


def _nuclear_dyes(under: Plane, chromatin: Plane, looks: Plane, shade: Plane) -> tuple[Plane, Plane]:
    """Dye of single pixels `under` µm below their nucleus' outline; `chromatin` is noise, `looks` rows of `LOOKS`."""
    base, membrane, clumps, eosin = looks.T
    ring = np.clip(1 - abs(under - np.float32(0.3)) * np.float32(1.6), 0, 1)
    clump = np.clip(chromatin * np.float32(1.1), -0.35, 1.2)
    return shade * (base + membrane * ring + clumps * clump), eosin
