"""DICOM: which files belong to one slide."""

from pathlib import Path

SERIES = b"\x20\x00\x0e\x00UI"
"""Tag and kind of the Series Instance UID (0020,000E), as every slide has it: little-endian, kinds written out."""

SLIDE = b"1.2.840.10008.5.1.4.1.1.77.1.6"
"""The SOP class of whole-slide images."""

HEADER_BYTES = 2**18
"""Before the pixels; the UID stands early, whatever private tags there are."""


def series_of(path: Path) -> bytes | None:
    """The UID of the series, which all files of a slide share; None for what says none, or is no slide."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    place = header.find(SERIES)
    # Each image of a CT or MR series is one of its own.
    if header[128:132] != b"DICM" or place < 0 or SLIDE not in header:
        return None
    start = place + len(SERIES) + 2
    length = int.from_bytes(header[start - 2 : start], "little")
    return header[start : start + length].rstrip(b"\0 ")
