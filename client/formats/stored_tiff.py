"""The JPEG tiles of a TIFF's pyramid, SVS among them: where they lie, and what their page says for all of them."""

import os
from pathlib import Path

import numpy as np

from histoserve.client.errors import SlideError
from histoserve.client.formats import tags
from histoserve.client.formats.jpeg import joined_jpeg
from histoserve.client.travel.stored import Lattice, NotStored, Place, StoredTiles

SAMPLES = 3


class StoredTiff(StoredTiles):
    """Of one page."""

    def __init__(self, path: Path, page: tags.Page, downsample: int):
        """Raises OSError for a file that went away."""
        size, tile = (page.imagewidth, page.imagelength), (page.tilewidth, page.tilelength)
        super().__init__(Lattice(size, tile, downsample))
        self._offsets = np.array(page.dataoffsets, np.int64)
        self._lengths = np.array(page.databytecounts, np.int64)
        self._damaged = tags.damaged_segments(page, path.stat().st_size)
        self._tables, self._rgb = page.jpegtables, page.photometric == tags.RGB
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def jpeg(self, place: Place) -> bytes:
        """As StoredTiles.jpeg."""
        index = place[1] * self.lattice.columns + place[0]
        if self._damaged[index]:
            raise NotStored("tiles have no bytes, or lie beyond the file's end")
        length = int(self._lengths[index])
        try:
            data = os.pread(self._file, length, int(self._offsets[index]))
        except OSError as error:
            raise NotStored(f"tiles cannot be read ({error.strerror})") from error
        if len(data) < length or data[:2] != b"\xff\xd8":
            raise NotStored("tiles are no JPEGs")
        return joined_jpeg(data, self._tables, self._rgb)

    def close(self) -> None:
        """As StoredTiles.close."""
        os.close(self._file)


def stored_tiff(path: Path, size: tuple[int, int], downsample: int) -> StoredTiles | None:
    """The one page that is a level of this size in JPEG tiles; None where there is none, or its tags cannot be read."""
    try:
        with tags.opened_tiff(path) as tiff:
            pages = [page for page in tiff.pages if (page.imagewidth, page.imagelength) == size and page.is_tiled]
            fits = len(pages) == 1 and _is_of_jpegs(pages[0])
            return StoredTiff(path, pages[0], downsample) if fits else None
    except (SlideError, OSError):
        return None


def _is_of_jpegs(page: tags.Page) -> bool:
    return (
        page.compression == tags.JPEG
        and page.samplesperpixel == SAMPLES
        and page.bitspersample == 8
        and page.planarconfig == 1
        and page.photometric in (tags.RGB, tags.YCBCR)
        and tags.orientation(page) == 1
        and len(page.dataoffsets) == len(page.databytecounts)
    )
