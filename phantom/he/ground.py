"""Dye in everything that is not a nucleus: stroma of fibres, cytoplasm of glands, hollows, glass."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.he.tissue import Tissue
from histoserve.phantom.noise import Floats, bilinear, spline

Plane = NDArray[np.float32]

Placed = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Which places of the tissue lie at places of the slide, x and y of one shape, µm."""

_NODE = 2.0
"""Pitch in µm of the grid on which the architecture is computed; between its nodes it is interpolated."""

_FRAY = 2.5
"""How far fibres stick out of the tissue's outline, or hollows reach in, µm."""

_GRAIN, _CLOUD = 200, 201
_ACROSS, _ALONG = 1024, 512
_STEP_ACROSS, _STEP_ALONG = 0.4, 1.5
"""Size in µm of a texel of the fibre texture, and after how many texels it repeats."""


class Ground:
    """The ground of one tissue; `placed` if it was moved, `node` the pitch of its architecture, µm."""

    def __init__(self, tissue: Tissue, placed: Placed | None = None, node: float = _NODE) -> None:
        self._tissue = tissue
        self._placed = placed
        self._node = node
        self._fibres = _fibre_texture(np.random.default_rng(tissue.seed))

    def dyes(self, x: Floats, y: Floats) -> tuple[Plane, Plane]:
        """Haematoxylin and eosin, in units, at every crossing of the columns x and the rows y (µm): two of (h, w)."""
        solid, depth, loose, tone, across, along = self._architecture(x, y)
        seed = self._tissue.seed
        grain, cloud = spline(seed, _GRAIN, 0.8, x, y), spline(seed, _CLOUD, 4.0, x, y)
        fibre = self._fibre(across, along)
        fibre += np.float32(0.07) * cloud
        in_gland = _ramp(depth * np.float32(0.6) + np.float32(0.5))
        # Pieces end in single fibres, glands in a smooth line.
        solid += (fibre - np.float32(0.5)) * (1 - in_gland) * np.float32(2 * _FRAY)
        presence = _ramp(solid * np.float32(0.8) + np.float32(0.5))
        presence *= tone
        closed = _ramp((fibre - np.float32(0.66) * loose) * np.float32(4.0) + np.float32(0.55))
        stroma = (
            0.02 + closed * (0.07 + 0.13 * fibre + 0.05 * grain),
            0.02 + closed * (0.12 + 0.33 * fibre + 0.09 * grain),
        )
        gland = (0.24 + 0.09 * cloud + 0.07 * grain, 0.32 + 0.08 * cloud + 0.09 * grain)
        haematoxylin, eosin = (_mixed(*parts, in_gland) for parts in zip(stroma, gland, strict=True))
        haematoxylin *= presence
        eosin *= presence
        return haematoxylin, eosin

    def is_bare(self, x: Floats, y: Floats) -> bool:
        """True where the rectangle of the columns x and the rows y (µm) is nothing but glass."""
        if self._placed is not None:
            x, y = (np.sort(at.ravel()) for at in self._placed(*np.meshgrid(_spread(x), _spread(y))))
        return not self._tissue.is_near((float(x[0]), float(x[-1])), (float(y[0]), float(y[-1])))

    def on_nodes(self, fields: Callable[[Floats, Floats], list[Floats]], x: Floats, y: Floats) -> list[Plane]:
        """Smooth fields of the tissue's places (µm) at every crossing of the columns x and the rows y: each (h, w)."""
        node = self._node
        first = [int(np.floor(axis[0] / node)) for axis in (x, y)]
        nodes = [np.arange(k, int(np.floor(axis[-1] / node)) + 2) * node for k, axis in zip(first, (x, y), strict=True)]
        places = tuple(np.meshgrid(*nodes))
        if self._placed is not None:
            places = self._placed(*places)
        columns, rows = (axis / node - k for axis, k in zip((x, y), first, strict=True))
        return [bilinear(field.astype(np.float32), columns, rows) for field in fields(*places)]

    def _architecture(self, x: Floats, y: Floats) -> list[Plane]:
        """Distance from the next hollow or glass, depth in a gland, looseness, tone, fibre coordinates; each (h, w)."""
        return self.on_nodes(self._fields, x, y)

    def _fields(self, at_x: Floats, at_y: Floats) -> list[Floats]:
        tissue = self._tissue
        depth, solid = tissue.epithelium(at_x, at_y)
        loose = tissue.loose(at_x, at_y)
        # Outside, a gland is set off from the stroma by a cleft that comes and goes.
        cleft = np.where(depth < 0, abs(depth + 2.5) + 1.5 - 4.5 * loose, 99.0)
        solid = np.minimum(np.minimum(solid, cleft), tissue.inside(at_x, at_y))
        loose = np.clip(loose + 0.35 * tissue.crowd(at_x, at_y), 0, 1)
        return [solid, depth, loose, tissue.tone(at_x, at_y), *tissue.fibre(at_x, at_y)]

    def _fibre(self, across: Plane, along: Plane) -> Plane:
        """Density of the fibres, 0-1, at fibre coordinates in µm."""
        row = np.floor(along * np.float32(1 / _STEP_ALONG)).astype(np.int32) & (_ALONG - 1)
        row *= _ACROSS
        row += np.floor(across * np.float32(1 / _STEP_ACROSS)).astype(np.int32) & (_ACROSS - 1)
        return np.asarray(self._fibres.take(row))


def _spread(axis: Floats) -> Floats:
    """Places along an axis and somewhat beyond its ends: of what was bent, the corners alone are not the border."""
    return np.linspace(axis[0] - 2, axis[-1] + 2, 5)


def _fibre_texture(random: np.random.Generator) -> Plane:
    """Streaks along the first axis, (_ALONG, _ACROSS), periodic, spread evenly over 0-1."""
    along, across = np.fft.fftfreq(_ALONG, _STEP_ALONG)[:, None], np.fft.rfftfreq(_ACROSS, _STEP_ACROSS)[None, :]
    total = np.zeros((_ALONG, _ACROSS))
    for width, length, share in ((0.45, 8.0, 0.9), (1.1, 20.0, 1.0), (4.0, 45.0, 0.5)):
        gain = np.exp(-2 * np.pi**2 * ((along * length) ** 2 + (across * width) ** 2))
        streaks = np.fft.irfft2(np.fft.rfft2(random.normal(size=total.shape)) * gain, total.shape)
        total += share * streaks / streaks.std()
    evenly = np.empty(total.size, np.float32)
    evenly[np.argsort(total, axis=None)] = np.linspace(0, 1, total.size, dtype=np.float32)
    return evenly.reshape(total.shape)


def _ramp(plane: Plane) -> Plane:
    return np.clip(plane, 0, 1, out=plane)


def _mixed(outside: Plane, inside: Plane, share: Plane) -> Plane:
    inside -= outside
    inside *= share
    inside += outside
    return inside
