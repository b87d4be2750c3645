"""How densely shapes lie, where the page is too small for outlines: what share of each px each class fills.

Made once, at zoom FIRST_ZOOM from the filled outlines, at each further one as the mean of four px of the one before. A
px in which the middle of a shape lies is marked, for it is shown however little of it is filled. Kept as one byte a px
and class (share in 127ths, and the mark), packed, and only where there is anything.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.view.layers.coverage import coverage
from histoserve.client.view.layers.index import Index, mapped
from histoserve.client.view.layers.ramps import Ramps
from histoserve.client.view.layers.tile import TILE_PX, Size, Tile, deepest, page_size, tile_of

FIRST_ZOOM = 3
"""Outlines stop before."""

FULL = 127
"""The byte's share of a px that is filled."""

LEAST_OPACITY = 0.25
"""Of a px with a shape's middle in it, the rest is its share: a single one is seen at every zoom."""

RINGS_AT_ONCE = 20_000

Shares = dict[int, tuple[NDArray[np.float32], NDArray[np.bool_]]]
"""Of the classes that there are: share of each px (TILE_PX, TILE_PX), and the marks."""


@dataclass(frozen=True)
class Density:
    """A layer's, as `build_density` left it."""

    packed: NDArray[np.uint8]
    """Bytes of all blocks; a block is a tile of one class."""
    blocks: dict[tuple[int, int, int], list[tuple[int, int, int]]]
    """(z, x, y) → of each class in it: the class, and where its block begins and ends."""

    def block(self, z: int, x: int, y: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """The classes that there are, and their bytes (TILE_PX, TILE_PX)."""
        for of, first, end in self.blocks.get((z, x, y), ()):
            content = np.frombuffer(zlib.decompress(self.packed[first:end].data), np.uint8)
            yield of, content.reshape(TILE_PX, TILE_PX)


def build_density(folder: Path, index: Index, l0_size: Size, progress: Callable[[float], None]) -> None:
    """Writes to `folder`; raises OSError."""
    with (folder / "packed.bin").open("wb") as file:
        building = _Building(index, l0_size, file.write, progress)
        building.made(deepest(l0_size), 0, 0)
    np.save(folder / "blocks.npy", np.array(building.blocks, np.int64).reshape(-1, 6))


def load_density(folder: Path) -> Density:
    """Raises OSError and ValueError."""
    path = folder / "packed.bin"
    # An empty file cannot be mapped.
    packed = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    blocks: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    for z, x, y, of, first, end in mapped(folder / "blocks.npy").tolist():
        blocks.setdefault((z, x, y), []).append((of, first, end))
    return Density(np.asarray(packed), blocks)


def draw_density(
    density: Density, tile: Tile, ramps: Ramps, ramp_of: Sequence[int], of: frozenset[int] | None
) -> bytes | None:
    """In each px the ramp of the class that fills most of it, as far up as all fill; None for nothing at all."""
    x, y = tile.corner[0] // TILE_PX, tile.corner[1] // TILE_PX
    most = np.zeros((TILE_PX, TILE_PX), np.uint8)
    ramp = np.zeros_like(most)
    total, marks = np.zeros_like(most), np.zeros_like(most)
    for number, content in density.block(tile.z, x, y):
        if of is None or number in of:
            ramp[content > most] = ramp_of[number]
            most = np.maximum(most, content)
            total = np.asarray(cv2.add(total, content & np.uint8(0xFE)), np.uint8)
            marks |= content & np.uint8(1)
    if not most.any():
        return None
    width, height = tile.size
    value = _OPACITIES[total & np.uint8(0xFE) | marks]
    return ramps.png(ramp[:height, :width], value[:height, :width])


class _Building:
    def __init__(
        self,
        index: Index,
        l0_size: Size,
        write: Callable[[bytes], int],
        progress: Callable[[float], None],
    ):
        self._index, self._l0_size, self._write, self._progress = index, l0_size, write, progress
        self.blocks: list[tuple[int, int, int, int, int, int]] = []
        self._place = self._done = 0
        width, height = page_size(l0_size, FIRST_ZOOM)
        self._tiles = -(-width // TILE_PX) * -(-height // TILE_PX)

    def made(self, z: int, x: int, y: int) -> Shares:
        """Writes this tile and all finer ones in it."""
        shares = self._filled(tile_of(self._l0_size, z, x, y)) if z == FIRST_ZOOM else self._averaged(z, x, y)
        for of, (share, marks) in shares.items():
            content = np.rint(share * FULL).astype(np.uint8) << 1 | marks
            packed = zlib.compress(content.tobytes(), 1)
            self.blocks.append((z, x, y, of, self._place, self._place + len(packed)))
            self._write(packed)
            self._place += len(packed)
        return shares

    def _averaged(self, z: int, x: int, y: int) -> Shares:
        half = TILE_PX // 2
        averaged: Shares = {}
        for across, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if not _exists(self._l0_size, z - 1, 2 * x + across, 2 * y + down):
                continue
            place = slice(down * half, (down + 1) * half), slice(across * half, (across + 1) * half)
            for of, (share, marks) in self.made(z - 1, 2 * x + across, 2 * y + down).items():
                into = averaged.setdefault(of, _nothing())
                into[0][place] = cv2.resize(share, (half, half), interpolation=cv2.INTER_AREA)
                into[1][place] = marks.reshape(half, 2, half, 2).any(axis=(1, 3))
        return averaged

    def _filled(self, tile: Tile) -> Shares:
        # A px at the slide's border is a whole one, even where it lies partly beyond.
        whole = Tile(tile.z, tile.corner, (TILE_PX, TILE_PX))
        rings = self._index.within(whole.l0_square())
        shares: Shares = {}
        of = self._index.of[rings]
        for number in np.unique(of).tolist():
            mine = rings[of == number]
            shares[number] = shares_of(self._index, mine, whole), marks_of(self._index, mine, whole)
        self._done += 1
        self._progress(self._done / self._tiles)
        return shares


def shares_of(index: Index, rings: NDArray[np.int64], tile: Tile) -> NDArray[np.float32]:
    """Of each px of the tile, the share that the rings fill."""
    width, height = tile.size
    share = np.zeros((height, width), np.float32)
    for first in range(0, len(rings), RINGS_AT_ONCE):
        part = rings[first : first + RINGS_AT_ONCE]
        points, starts = index.outlines(part)
        share += coverage(tile.placed(points), starts, index.hole[part], tile.size)
    return share.clip(0, 1)


def marks_of(index: Index, rings: NDArray[np.int64], tile: Tile) -> NDArray[np.bool_]:
    """The px of the tile in which the middle of a ring's box lies."""
    box = index.box[rings[~index.hole[rings]]].astype(np.float64)
    places = np.floor(tile.placed((box[:, :2] + box[:, 2:]) / 2)).astype(np.int64)
    width, height = tile.size
    columns, rows = places[((places >= 0) & (places < (width, height))).all(axis=1)].T
    marks = np.zeros((height, width), bool)
    marks[rows, columns] = True
    return marks


def _nothing() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return np.zeros((TILE_PX, TILE_PX), np.float32), np.zeros((TILE_PX, TILE_PX), bool)


def _exists(l0_size: Size, z: int, x: int, y: int) -> bool:
    width, height = page_size(l0_size, z)
    return x * TILE_PX < width and y * TILE_PX < height


def _opacities() -> NDArray[np.uint8]:
    """Of each byte, as `Density` keeps them."""
    share = (np.arange(256) >> 1) / FULL
    opacity = np.where(np.arange(256) & 1, LEAST_OPACITY + (1 - LEAST_OPACITY) * share, share)
    return np.rint(255 * opacity).astype(np.uint8)


_OPACITIES = _opacities()
