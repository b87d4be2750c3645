"""The nuclei of an H&E slide: which there are, where, how large, and outlines that touch but never overlap.

Everything is decided per cell of a square lattice from that cell and its neighbours, so any part can be
asked for alone. Lengths are micrometres.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.he.tissue import Gland, Tissue
from histoserve.phantom.noise import Floats, Ints, hashed

TYPES = ("other", "inflammatory", "epithelial", "spindle")
"""Names of the types 1 to 4, as in CoNSeP."""

OTHER, INFLAMMATORY, EPITHELIAL, SPINDLE = 1, 2, 3, 4
CELL = 128.0
REACH = 12.0
"""No nucleus extends farther from its centre."""

VERTICES = 24
_CELL_CHANNEL, _RING_CHANNEL, _SHAPE_CHANNEL = 100, 120, 140
_SITE = 6.4
_LEAST_SPACE = 0.64
"""Of two nuclei with less than this share of the space they need, one is left out."""

_SIZES = np.array(
    [(0, 0, 0, 0), (1.3, 2.4, 1.2, 2.0), (2.7, 3.5, 2.5, 3.3), (4.4, 6.6, 2.6, 3.9), (5.5, 8.8, 1.4, 2.4)]
)
"""Smallest and largest long half axis, then short half axis, by type."""


@dataclass(frozen=True)
class Nuclei:
    """Nuclei as columns of one length; `[...]` selects rows."""

    x: Floats
    y: Floats
    long: Floats
    """Half axes."""
    short: Floats
    angle: Floats
    """Of the long axis from the x axis, radians."""
    type: Ints
    rank: Floats
    """Of two that are in each other's way the higher stays; also serves as the nucleus' own random number."""

    def __getitem__(self, rows: object) -> "Nuclei":
        return Nuclei(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.x)


_NONE = Nuclei(*(np.zeros(0),) * 5, np.zeros(0, np.int64), np.zeros(0))


def joined(parts: list[Nuclei]) -> Nuclei:
    """All rows of the parts, in order."""
    return Nuclei(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Nuclei)))


Populate = Callable[[int, int], Nuclei]
"""Nuclei that would lie in row i, column j of the lattice if none were in another's way; others are dropped."""


class NucleiMap:
    """The nuclei of one tissue, by lattice cell; `gap` is left between outlines that touch."""

    def __init__(self, tissue: Tissue, gap: float, populate: Populate | None = None) -> None:
        self._tissue = tissue
        self._gap = gap
        self._populate = populate or Residents(tissue)
        self._candidates = lru_cache(maxsize=1024)(self._find_candidates)
        self.cell = lru_cache(maxsize=768)(self._cell)
        """`cell(i, j)`: nuclei with their centre in row i, column j of the lattice, by y and x, and their outlines (N,
        VERTICES, 2) in µm."""

    def candidates(self, i: int, j: int) -> Nuclei:
        """Those of a lattice cell before one that is in another's way is left out."""
        return self._candidates(i, j)

    def bodies(self, i: int, j: int, width: float) -> Floats:
        """Outlines (N, VERTICES, 2) of the whole cells of `cell(i, j)`: `width` µm around the nucleus, if there is room."""
        kept, owned = self._kept(i, j)
        grown = replace(kept, long=kept.long + width, short=kept.short + width)
        return _outlines(grown, self._tissue.seed, self._gap)[owned]

    def _cell(self, i: int, j: int) -> tuple[Nuclei, Floats]:
        kept, owned = self._kept(i, j)
        return kept[owned], _outlines(kept, self._tissue.seed, self._gap)[owned]

    def _kept(self, i: int, j: int) -> tuple[Nuclei, Ints]:
        """Nuclei in and near the cell, and which of them are its own, by y and x."""
        around = joined([self._candidates(i + di, j + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)])
        around = around[_is_near_cell(around, i, j)]
        kept = around[~_crowded_out(around, self._gap)]
        owned = np.nonzero(_is_in_cell(kept, i, j))[0]
        return kept, owned[np.lexsort((kept.x[owned], kept.y[owned]))]

    def _find_candidates(self, i: int, j: int) -> Nuclei:
        """Nuclei that would lie in the cell if none were in another's way."""
        tissue = self._tissue
        x0, y0 = j * CELL, i * CELL
        if not tissue.is_near((x0, x0 + CELL), (y0, y0 + CELL)):
            return _NONE
        found = self._populate(i, j)
        found = found[_is_in_cell(found, i, j)]
        return found[tissue.inside(found.x, found.y) > 4]


class Residents:
    """The nuclei that any tissue has: between the glands, and in them."""

    def __init__(self, tissue: Tissue) -> None:
        self._tissue = tissue

    def __call__(self, i: int, j: int) -> Nuclei:
        """See `Populate`."""
        box = ((j * CELL, (j + 1) * CELL), (i * CELL, (i + 1) * CELL))
        glands = self._tissue.glands(*box)
        return joined([_stromal(self._tissue, i, j), *(_ring(self._tissue.sown, gland) for gland in glands)])


def _is_in_cell(nuclei: Nuclei, i: int, j: int) -> NDArray[np.bool_]:
    return np.asarray((np.floor(nuclei.y / CELL) == i) & (np.floor(nuclei.x / CELL) == j))


def _is_near_cell(nuclei: Nuclei, i: int, j: int) -> NDArray[np.bool_]:
    """True where a centre is close enough to the cell to decide, over a neighbour, what becomes of a nucleus in it."""
    off = np.maximum(abs(nuclei.x - (j + 0.5) * CELL), abs(nuclei.y - (i + 0.5) * CELL))
    return np.asarray(off < CELL / 2 + 4 * REACH)


def _stromal(tissue: Tissue, i: int, j: int) -> Nuclei:
    """Inflammatory, spindle and other nuclei between the glands: jittered places, each taken or not."""
    per_side = int(CELL / _SITE)
    row, column = (grid.ravel() + k * per_side for grid, k in zip(np.mgrid[:per_side, :per_side], (i, j), strict=True))
    draw = np.stack([hashed(tissue.sown, _CELL_CHANNEL + k, row, column) for k in range(8)])
    x = (column + 0.5 + 0.75 * (draw[0] - 0.5)) * CELL / per_side
    y = (row + 0.5 + 0.75 * (draw[1] - 0.5)) * CELL / per_side
    crowd = tissue.crowd(x, y)
    shares = np.stack([0.035 + 0.8 * crowd, 0.12 * (1 - crowd), np.full_like(x, 0.012)])
    kind = np.array([INFLAMMATORY, SPINDLE, OTHER, 0])[(draw[2] > np.cumsum(shares, axis=0)).sum(axis=0)]
    taken = np.nonzero(kind)[0]
    taken = taken[tissue.epithelium(x[taken], y[taken])[0] < -4]
    x, y, kind, draw = x[taken], y[taken], kind[taken], draw[:, taken]
    angle = np.where(kind == SPINDLE, tissue.fibre_angle(x, y) + 0.5 * (draw[3] - 0.5), np.pi * draw[3])
    return _sized(x, y, angle, kind, draw[4:6], draw[7])


def _ring(seed: int, gland: Gland) -> Nuclei:
    """Epithelial nuclei of one gland, long axes towards its centre, in rows under its border; waste in its lumen."""
    columns = int(2 * np.pi * gland.radius / 7.0)
    row, column = (grid.ravel() for grid in np.mgrid[: gland.rows + 1, :columns])
    key = (gland.key[0] * 8191 + gland.key[1]) * 8 + row
    draw = np.stack([hashed(seed, _RING_CHANNEL + k, key, column) for k in range(9)])
    theta = (column + 0.5 * row + 0.5 + 0.4 * (draw[0] - 0.5)) * 2 * np.pi / columns
    is_waste = row == gland.rows
    depth = np.where(is_waste, gland.height + 5 + 12 * draw[1], 7.0 + 9.5 * row + 5 * (draw[1] - 0.5))
    radius = gland.outline(theta) - depth
    # Rows nearer to the centre have less room: nuclei there are fewer, not smaller.
    room = radius / gland.radius
    taken = (radius > 4) & (draw[2] < np.where(is_waste, 0.07, np.minimum(0.96, 1.5 * room)))
    kind = np.where(is_waste, OTHER, np.where(draw[8] < 0.03, INFLAMMATORY, EPITHELIAL))
    x, y = gland.x + radius * np.cos(theta), gland.y + radius * np.sin(theta)
    return _sized(x, y, theta + 0.5 * (draw[3] - 0.5), kind, draw[4:6], draw[7])[np.nonzero(taken)[0]]


def _sized(x: Floats, y: Floats, angle: Floats, kind: Ints, draw: Floats, rank: Floats) -> Nuclei:
    size = _SIZES[kind]
    long = size[:, 0] + draw[0] * (size[:, 1] - size[:, 0])
    short = size[:, 2] + draw[1] * (size[:, 3] - size[:, 2])
    return Nuclei(x, y, long, np.minimum(short, long), angle, kind, rank)


def _pairs(nuclei: Nuclei, gap: float) -> tuple[Ints, Ints, Floats, Floats, Floats]:
    """Rows i, j of neighbours that touch, ordered by i; the unit normal (pairs, 2) of a line that separates them
    best; the way along it that i has, and the way i needs."""
    reach = 1.15 * nuclei.long
    dx, dy = nuclei.x[None, :] - nuclei.x[:, None], nuclei.y[None, :] - nuclei.y[:, None]
    i, j = np.nonzero(dx * dx + dy * dy < (reach[:, None] + reach[None, :] + gap) ** 2)
    i, j = i[i != j], j[i != j]
    cos2, sin2 = np.cos(nuclei.angle), np.sin(nuclei.angle)
    a, b = nuclei.long**2, nuclei.short**2
    xx, yy, xy = a * cos2**2 + b * sin2**2, a * sin2**2 + b * cos2**2, (a - b) * cos2 * sin2
    sx, sy, sm = xx[i] + xx[j], yy[i] + yy[j], xy[i] + xy[j]
    ux, uy = dx[i, j], dy[i, j]
    # The normal that parts two ellipses best is near (A + B)^-1 (difference of centres), A and B their matrices.
    nx, ny = sy * ux - sm * uy, sx * uy - sm * ux
    length = np.maximum(np.sqrt(nx * nx + ny * ny), 1e-9)
    nx, ny = nx / length, ny / length
    needs = [1.1 * np.sqrt(xx[k] * nx * nx + 2 * xy[k] * nx * ny + yy[k] * ny * ny) for k in (i, j)]
    room = np.maximum(nx * ux + ny * uy - gap, 0)
    has = room * needs[0] / (needs[0] + needs[1])
    touching = has < needs[0]
    return i[touching], j[touching], np.stack([nx, ny], axis=1)[touching], has[touching], needs[0][touching]


def _crowded_out(nuclei: Nuclei, gap: float) -> NDArray[np.bool_]:
    """True for nuclei that have too little space beside one of higher rank."""
    i, j, _, has, needs = _pairs(nuclei, gap)
    loses = (has < _LEAST_SPACE * needs) & (nuclei.rank[i] < nuclei.rank[j])
    out = np.zeros(len(nuclei), bool)
    out[i[loses]] = True
    return out


def _outlines(nuclei: Nuclei, seed: int, gap: float) -> Floats:
    """Polygons (N, VERTICES, 2), star-shaped around the centre, disjoint: a line parts each two neighbours."""
    t = np.arange(VERTICES) * 2 * np.pi / VERTICES
    spokes = _spokes(nuclei, t)
    scale = _wobble(nuclei, seed, t)
    i, _, normal, has, _ = _pairs(nuclei, gap)
    if len(i):
        forward = np.einsum("pvk,pk->pv", spokes[i], normal)
        limit = np.where(forward > 1e-6, has[:, None] / np.maximum(forward, 1e-6), np.inf)
        first = np.nonzero(np.diff(i, prepend=-1))[0]
        scale[i[first]] = np.minimum(scale[i[first]], np.minimum.reduceat(limit, first, axis=0))
    return np.stack([nuclei.x, nuclei.y], axis=1)[:, None, :] + scale[:, :, None] * spokes


def _spokes(nuclei: Nuclei, t: Floats) -> Floats:
    """From the centre to the undisturbed ellipse at parameters t: (N, len(t), 2)."""
    along, across = nuclei.long[:, None] * np.cos(t), nuclei.short[:, None] * np.sin(t)
    c, s = np.cos(nuclei.angle)[:, None], np.sin(nuclei.angle)[:, None]
    return np.stack([along * c - across * s, along * s + across * c], axis=2)


def _wobble(nuclei: Nuclei, seed: int, t: Floats) -> Floats:
    """How far each spoke really goes, 1 on average: (N, len(t))."""
    key = (nuclei.rank * 2**40).astype(np.int64)
    total = np.ones((len(nuclei), len(t)))
    for k, share in ((2, 0.05), (3, 0.045), (5, 0.02)):
        draw = hashed(seed, _SHAPE_CHANNEL, key[:, None], np.array([[k, 50 + k]]))
        total += share * draw[:, :1] * np.cos(k * t + 2 * np.pi * draw[:, 1:])
    return total
