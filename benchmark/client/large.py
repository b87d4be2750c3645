"""A slide of any size with real tiles: those of a small one, again and again."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile


def repeated(source: Path, out: Path, pixels: float) -> Path:
    """Writes an SVS of at least so many pixels at level 0, alone, in the JPEG tiles of `source`, unchanged.

    Only tiles that lie inside of `source` are taken. Raises ValueError for a slide that has no JPEG tiles.
    """
    with tifffile.TiffFile(source) as tiff, source.open("rb") as file:
        page = tiff.pages[0]
        if not page.is_tiled or page.compression != 7:
            raise ValueError(f"{source.name} is not stored in JPEG tiles; give an SVS that is")
        columns, rows = page.imagewidth // page.tilewidth, page.imagelength // page.tilelength
        stride = math.ceil(page.imagewidth / page.tilewidth)
        times = math.ceil(math.sqrt(pixels / (columns * rows * page.tilewidth * page.tilelength)))
        shape = times * rows * page.tilelength, times * columns * page.tilewidth

        def tile(index: int) -> bytes:
            file.seek(page.dataoffsets[index])
            return bytes(file.read(page.databytecounts[index]))

        def tiles() -> Iterator[bytes]:
            for row in range(rows * times):
                line = [tile(row % rows * stride + column) for column in range(columns)]
                yield from line * times

        with tifffile.TiffWriter(out, bigtiff=True) as writer:
            writer.write(
                tiles(),
                shape=(*shape, 3),
                dtype=np.uint8,
                tile=(page.tilelength, page.tilewidth),
                photometric="rgb" if page.photometric == 2 else "ycbcr",
                subsampling=page.subsampling,
                compression="jpeg",
                jpegtables=page.jpegtables,
                description=page.description,
                metadata=None,
                software=False,
            )
    return out
