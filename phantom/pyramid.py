"""A tiled JPEG pyramid in one TIFF file, as OpenSlide's generic-tiff format wants it, streamed.

rows of tiles -> JPEG tiles -> file; each row shrunk by 4 -> spill file -> rows of tiles of the next level, and so on.
"""

import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.tiff import TiffWriter

Image = NDArray[np.uint8]

TILE = 256
STEP = 4
SMALLEST = 512
"""A level that fits a square of this size is the last."""

QUALITY = 90
_CLASSIC_LIMIT = 2**32 - 2**24
"""Bytes that 32-bit offsets reach, less room for the directories."""


def level_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Width and height of every level, finest first."""
    sizes = [size]
    while max(sizes[-1]) > SMALLEST and min(sizes[-1]) >= STEP:
        sizes.append((sizes[-1][0] // STEP, sizes[-1][1] // STEP))
    return sizes


def write_pyramid(path: Path, size: tuple[int, int], mpp: float, rows: Iterator[Image]) -> None:
    """Write the slide that comes as `rows` of tiles: RGB (TILE, width rounded up to whole tiles, 3), top first.

    `mpp` (µm per pixel) goes to the resolution tags. The same input gives the same bytes. The file appears under its
    name only when it is complete; while writing, its folder also holds
    1/16 of the raw pixels' bytes.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    is_big = size[0] * size[1] * 4 > _CLASSIC_LIMIT
    try:
        with part.open("wb") as file:
            _write_levels(TiffWriter(file, is_big), level_sizes(size), mpp, rows, path.parent)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def encoded(tile: Image) -> bytes:
    """JPEG bytes of an RGB tile, colours at full resolution (4:4:4)."""
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    return cv2.imencode(".jpg", np.ascontiguousarray(tile[:, :, ::-1]), options)[1].tobytes()


def _write_levels(
    tiff: TiffWriter, sizes: list[tuple[int, int]], mpp: float, rows: Iterator[Image], folder: Path
) -> None:
    for level, (width, height) in enumerate(sizes):
        columns = _tiles_over(width)
        with tempfile.TemporaryFile(dir=folder) as spill:
            kept = _spilled(islice(rows, _tiles_over(height)), spill)
            tiles = (encoded(row[:, TILE * j : TILE * (j + 1)]) for row in kept for j in range(columns))
            tiff.add_level((width, height), TILE, mpp * STEP**level, tiles, is_reduced=level > 0)
            # The block's end closes the file: the next level reads it through a handle of its own.
            source = os.fdopen(os.dup(spill.fileno()), "rb")
        rows = _unspilled(source, columns * TILE // STEP)


def _tiles_over(length: int) -> int:
    return -(-length // TILE)


def _spilled(rows: Iterator[Image], spill: BinaryIO) -> Iterator[Image]:
    """Pass the rows on, and append each of them, shrunk, to the spill file."""
    for row in rows:
        small = cv2.resize(row, (row.shape[1] // STEP, TILE // STEP), interpolation=cv2.INTER_AREA)
        spill.write(small.tobytes())
        yield row
    spill.flush()


def _unspilled(spill: BinaryIO, width: int) -> Iterator[Image]:
    """Rows of tiles of the image, `width` wide, in a spill file; the last pixels are repeated to whole tiles."""
    with spill:
        spill.seek(0)
        while block := spill.read(TILE * width * 3):
            row = np.frombuffer(block, np.uint8).reshape(-1, width, 3)
            yield np.pad(row, ((0, TILE - len(row)), (0, -width % TILE), (0, 0)), mode="edge")
