"""The JPEG frames of a DICOM slide's level; pydicom tells where they lie.

A frame is one fragment, or all from its offset to the next frame's.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.encaps import parse_basic_offsets, parse_fragments
from pydicom.uid import JPEGBaseline8Bit

from histoserve.client.formats.dicom import series_of
from histoserve.client.formats.jpeg import joined_jpeg
from histoserve.client.travel.stored import Lattice, NotStored, Place, StoredTiles

COLOURS = {"RGB": True, "YBR_FULL_422": False, "YBR_FULL": False}
"""Whether the components are red, green and blue, by PhotometricInterpretation."""

ELEMENT_BYTES, ITEM_BYTES = 12, 8
"""Before the items of pixel data: tag, kind and length; before each item's bytes: tag and length."""

ITEM = b"\xfe\xff\x00\xe0"


class StoredDicom(StoredTiles):
    """Of one file."""

    def __init__(self, path: Path, header: pydicom.Dataset, spans: Sequence[range], downsample: int):
        """`spans`: where the items of each frame lie in the file. Raises OSError for a file that went away."""
        size = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
        super().__init__(Lattice(size, (int(header.Columns), int(header.Rows)), downsample))
        self._rgb = COLOURS[header.PhotometricInterpretation]
        self._spans = spans
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def jpeg(self, place: Place) -> bytes:
        """As StoredTiles.jpeg."""
        span = self._spans[place[1] * self.lattice.columns + place[0]]
        try:
            data = b"".join(_items(os.pread(self._file, len(span), span.start)))
        except (OSError, ValueError) as error:
            raise NotStored(f"frames cannot be read ({error})") from error
        if data[:2] != b"\xff\xd8":
            raise NotStored("frames are no JPEGs")
        return joined_jpeg(data, None, self._rgb)

    def close(self) -> None:
        """As StoredTiles.close."""
        os.close(self._file)


def stored_dicom(path: Path, size: tuple[int, int], downsample: int) -> StoredTiles | None:
    """The one file of the series that is a level of this size, with all its tiles; None where there is none."""
    found: list[StoredTiles] = []
    # Other things lie beside a slide's files, and tags hold anything.
    with suppress(Exception):
        series = series_of(path)
        for other in sorted(path.parent.iterdir()):
            if other.is_file() and series and series_of(other) == series:
                found += _levels_in(other, size, downsample)
    if len(found) == 1:
        return found[0]
    for each in found:
        each.close()
    return None


def _levels_in(path: Path, size: tuple[int, int], downsample: int) -> Iterator[StoredTiles]:
    with path.open("rb") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        if (header.get("TotalPixelMatrixColumns"), header.get("TotalPixelMatrixRows")) == size and _is_of_jpegs(header):
            yield StoredDicom(path, header, _spans(file, int(header.NumberOfFrames)), downsample)


def _is_of_jpegs(header: pydicom.Dataset) -> bool:
    columns = -(-header.TotalPixelMatrixColumns // header.Columns)
    rows = -(-header.TotalPixelMatrixRows // header.Rows)
    return (
        header.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
        and header.PhotometricInterpretation in COLOURS
        and header.get("DimensionOrganizationType") == "TILED_FULL"
        and int(header.NumberOfFrames) == columns * rows
        and "VOLUME" in header.ImageType
    )


def _spans(file: BinaryIO, frames: int) -> list[range]:
    """`file` stands at the pixel data; raises ValueError where it cannot be told which bytes are a frame's."""
    file.seek(ELEMENT_BYTES, os.SEEK_CUR)
    offsets = parse_basic_offsets(file)
    first = file.tell()
    count, fragments = parse_fragments(file)
    starts = [first + offset for offset in offsets] if offsets else list(fragments)
    if len(starts) != frames or (not offsets and count != frames):
        raise ValueError(f"{count} fragments for {frames} frames")
    end = max(fragments) + ITEM_BYTES + _length_at(file, max(fragments))
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], end], strict=True)]


def _length_at(file: BinaryIO, item: int) -> int:
    file.seek(item + len(ITEM))
    return int.from_bytes(file.read(4), "little")


def _items(data: bytes) -> Iterator[bytes]:
    """The bytes of items that lie one behind the other; raises ValueError for anything else."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + len(ITEM) : at + ITEM_BYTES], "little")
        if data[at : at + len(ITEM)] != ITEM or at + ITEM_BYTES + length > len(data):
            raise ValueError("damaged or cut short")
        yield data[at + ITEM_BYTES : at + ITEM_BYTES + length]
        at += ITEM_BYTES + length
