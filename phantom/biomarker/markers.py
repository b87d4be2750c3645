"""Which cells express which marker: a slide's level, hot spots, and each cell's own number."""

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.he.nuclei import EPITHELIAL, INFLAMMATORY, OTHER, SPINDLE, Nuclei
from histoserve.phantom.lesion.cells import LESION_TYPE
from histoserve.phantom.noise import Floats, Ints, hashed, spline_at

MARKERS = ("ki67", "er", "pr", "her2", "null")
"""`null` is expressed like any other, but nothing of the H&E tells of it."""

TUMOUR = LESION_TYPE

_ALL = 0.06
"""Of the slides, so many have a marker in no tumour cell, and as many in every one."""

_FOLLOWS = 0.6
"""Correlation of what PR does with what ER does."""

_SKEW = {"ki67": 1.6}
"""Power of a marker's level: proliferating cells are mostly the fewer."""

_SPOT, _CONTRAST = 320.0, 1.5
"""Pitch of the hot spots, µm, and what they do to the logit of a level."""

_CHANNEL, _SPOTS, _CELL = 2000, 2010, 2030

_OTHERS = {
    "ki67": {INFLAMMATORY: (0.0, 0.4), EPITHELIAL: (0.02, 0.12), SPINDLE: (0.0, 0.03)},
    "er": {EPITHELIAL: (0.05, 0.5)},
    "pr": {EPITHELIAL: (0.05, 0.5)},
    "null": {INFLAMMATORY: (0.0, 0.4), EPITHELIAL: (0.02, 0.3), OTHER: (0.0, 0.1)},
}
"""Least and most of the cells beside the tumour that express a marker, by type."""


class Expression:
    """Of one slide; `levels` are chosen shares of its tumour cells, by marker."""

    def __init__(self, seed: int, levels: dict[str, float] | None = None) -> None:
        random = np.random.default_rng((seed, _CHANNEL))
        latent = random.normal(size=len(MARKERS))
        latent[2] = _FOLLOWS * latent[1] + sqrt(1 - _FOLLOWS**2) * latent[2]
        drawn = [_level(float(z), _SKEW.get(name, 1.0)) for name, z in zip(MARKERS, latent, strict=True)]
        self.levels = dict(zip(MARKERS, drawn, strict=True)) | (levels or {})
        """Shares of the tumour cells, but for hot spots."""
        self._seed = seed
        self._others = np.zeros((len(MARKERS), TUMOUR))
        for row, name in enumerate(MARKERS):
            for kind, (least, most) in _OTHERS.get(name, {}).items():
                self._others[row, kind] = random.uniform(least, most)

    def positive(self, nuclei: Nuclei) -> NDArray[np.bool_]:
        """Which nuclei, placed in the tissue, express which marker: (N, markers)."""
        own = np.minimum(nuclei.type, TUMOUR - 1)
        shares = np.where(nuclei.type == TUMOUR, self.shares(nuclei.x, nuclei.y), self._others[:, own])
        draw = [hashed(self._seed, _CELL + row, key(nuclei), np.zeros(1, np.int64)) for row in range(len(MARKERS))]
        return np.asarray(np.stack(draw) < shares).T

    def shares(self, x: Floats, y: Floats) -> Floats:
        """Of the tumour cells at places (N,), µm, that express each marker: (markers, N)."""
        spots = [spline_at(self._seed, _SPOTS + row, _SPOT, x, y) for row in range(len(MARKERS))]
        spots[2] = _FOLLOWS * spots[1] + sqrt(1 - _FOLLOWS**2) * spots[2]
        return np.stack(
            [_moved(self.levels[name], _CONTRAST * spot) for name, spot in zip(MARKERS, spots, strict=True)]
        )


def key(nuclei: Nuclei) -> Ints:
    """A number of each nucleus by which more numbers of its own are drawn; the same in every section."""
    return (nuclei.rank * 2**40).astype(np.int64)


def _level(latent: float, skew: float) -> float:
    """A share from a normal number."""
    evenly = (1 + erf(latent / sqrt(2))) / 2
    if not _ALL <= evenly <= 1 - _ALL:
        return float(evenly > 0.5)
    return float(0.03 + 0.94 * ((evenly - _ALL) / (1 - 2 * _ALL)) ** skew)


def _moved(level: float, by: Floats) -> Floats:
    """The share, its logit moved; of none and of all nothing moves."""
    if level in (0.0, 1.0):
        return np.full(by.shape, level)
    return np.asarray(level / (level + (1 - level) * np.exp(-by)))
