"""TIFF directories around ready-made JPEG tiles (TIFF 6.0, technical note 2; BigTIFF).

tifffile would write them, but takes JPEG bytes only where imagecodecs is installed: too much for the thin client.
"""

import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import BinaryIO

_SHORT, _LONG, _RATIONAL, _LONG8 = 3, 4, 5, 16
_FORMATS = {_SHORT: "H", _LONG: "I", _RATIONAL: "I", _LONG8: "Q"}
_JPEG, _YCBCR, _CONTIGUOUS, _CENTIMETRE = 7, 6, 1, 3

Entry = tuple[int, int, list[int]]
"""Tag, type, values; a rational is two values."""


class TiffWriter:
    """Appends levels to an empty binary file: each level's tiles as they come, then its directory."""

    def __init__(self, file: BinaryIO, is_big: bool) -> None:
        self._file = file
        self._offset_type = _LONG8 if is_big else _LONG
        self._word = "Q" if is_big else "I"
        self._counts = "Q" if is_big else "H"
        header = struct.pack("<2sHHH", b"II", 43, 8, 0) if is_big else struct.pack("<2sH", b"II", 42)
        file.write(header + self._packed(0))
        self._link = len(header)
        """Where the offset of the next directory has to be written."""

    def add_level(
        self, size: tuple[int, int], tile_px: int, mpp: float, tiles: Iterable[bytes], *, is_reduced: bool
    ) -> None:
        """Write one level of width and height `size`: 4:4:4 YCbCr JPEG tiles, row by row from the top left."""
        offsets, lengths = [], []
        for tile in tiles:
            offsets.append(self._file.tell())
            lengths.append(self._file.write(tile))
        per_cm = Fraction(1e4 / mpp).limit_denominator(1000)
        resolution = [per_cm.numerator, per_cm.denominator]
        self._add_directory(
            [
                (254, _LONG, [int(is_reduced)]),
                (256, _LONG, [size[0]]),
                (257, _LONG, [size[1]]),
                (258, _SHORT, [8, 8, 8]),
                (259, _SHORT, [_JPEG]),
                (262, _SHORT, [_YCBCR]),
                (277, _SHORT, [3]),
                (282, _RATIONAL, resolution),
                (283, _RATIONAL, resolution),
                (284, _SHORT, [_CONTIGUOUS]),
                (296, _SHORT, [_CENTIMETRE]),
                (322, _LONG, [tile_px]),
                (323, _LONG, [tile_px]),
                (324, self._offset_type, offsets),
                (325, _LONG, lengths),
                (530, _SHORT, [1, 1]),
            ]
        )

    def _add_directory(self, entries: list[Entry]) -> None:
        records = [self._record(*entry) for entry in entries]
        self._align()
        start = self._file.tell()
        self._file.write(struct.pack("<" + self._counts, len(records)) + b"".join(records))
        link = self._file.tell()
        self._file.write(self._packed(0))
        self._file.seek(self._link)
        self._file.write(self._packed(start))
        self._file.seek(0, 2)
        self._link = link

    def _record(self, tag: int, kind: int, values: list[int]) -> bytes:
        """One entry of a directory; values that do not fit into it go to the file at once."""
        data = struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values)
        room = len(self._packed(0))
        if len(data) > room:
            self._align()
            place = self._file.tell()
            self._file.write(data)
            data = self._packed(place)
        count = len(values) // 2 if kind == _RATIONAL else len(values)
        return struct.pack("<HH", tag, kind) + self._packed(count) + data.ljust(room, b"\0")

    def _align(self) -> None:
        self._file.write(b"\0" * (-self._file.tell() % 8))

    def _packed(self, word: int) -> bytes:
        return struct.pack("<" + self._word, word)
