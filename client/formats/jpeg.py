"""JPEG, alone or as part of a TIFF; a decoder's warning is an error here: what it goes on to paint is invented."""

import re
import struct
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.formats.listen import listening

WARNINGS = re.compile(r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression|Invalid SOS parameters")
"""How libjpeg begins them; it fills the rest with grey or goes on at a wrong place. Remarks on versions are none."""

ALONE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a length."""

FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Starts of a frame: size, bits and components of the picture."""

START_OF_SCAN, HUFFMAN_TABLES = 0xDA, 0xC4

TABLES = {HUFFMAN_TABLES, 0xDB, 0xDD, 0xFE}
"""Huffman, quantisation, restart interval; and comments."""

AC_OF_BRIGHTNESS = 0x10
"""Class 1, number 0, by every encoder's habit."""

ZEROED = bytes(24)
"""More zeros than one block's coefficients can take (64 of 3 bits)."""

ORIENTATION = 274
"""EXIF's tag."""


def decoded_jpeg(name: str, data: bytes) -> NDArray[np.uint8]:
    """(H, W) of gray or (H, W, 3) of RGB, as stored: not turned. Raises SlideError for damage, CMYK and over 8 bits."""
    _, _, components = jpeg_size(name, data)
    if components not in (1, 3):
        raise SlideError(f"{name} is a JPEG of {components} components (CMYK is one of 4); gray and RGB are supported.")
    with listening(WARNINGS) as warnings:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            image = None
    if image is not None and not warnings and _zeroed(data):
        warnings.append("zeroed bytes in its scan")
    if image is None or warnings:
        said = f" ({warnings[0]})" if warnings else ""
        raise SlideError(f"{name} cannot be read as an image: it is damaged or cut short{said}. Copy it again.")
    if image.dtype != np.uint8:
        raise SlideError(f"{name} is a JPEG of more than 8 bits a sample, which is not supported. Save it with 8 bits.")
    return image.astype(np.uint8) if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1]).astype(np.uint8)


def jpeg_size(name: str, data: bytes) -> tuple[int, int, int]:
    """(width, height, components) as the header has them; raises SlideError for no header, and for over 8 bits."""
    for marker, start, end in _segments(data):
        if marker in FRAMES and end - start >= 6:
            bits, components = data[start], data[start + 5]
            if bits != 8:
                raise SlideError(f"{name} is a JPEG of {bits} bits a sample; 8 are supported. Save it with 8.")
            return (
                int.from_bytes(data[start + 3 : start + 5], "big"),
                int.from_bytes(data[start + 1 : start + 3], "big"),
                components,
            )
    raise SlideError(f"{name} cannot be read as an image: it is damaged or cut short. Copy it again.")


def jpeg_orientation(data: bytes) -> int:
    """1 to 8 from EXIF; 1, upright, where there is none or it is nonsense."""
    for marker, start, end in _segments(data):
        if marker == 0xE1 and data[start : start + 6] == b"Exif\0\0":
            return exif_orientation(data[start + 6 : end])
    return 1


def exif_orientation(tiff: bytes) -> int:
    """From EXIF's own small TIFF, of which only the first directory is read."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for i in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, directory + 2 + 12 * i)
            if tag == ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def joined_jpeg(data: bytes, tables: bytes | None, rgb: bool | None) -> bytes:
    """A TIFF's part with the tables that its page keeps for all, and a marker that says which colours; None: gray."""
    if tables and data[:2] == b"\xff\xd8":
        data = tables[: tables.rfind(b"\xff\xd9")] + data[2:]
    adobe = (marker == 0xEE and data[start : start + 5] == b"Adobe" for marker, start, _ in _segments(data))
    if rgb is None or any(adobe):
        return data
    return data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\0\0\0\0" + (b"\0" if rgb else b"\1") + data[2:]


def jpeg_kind(data: bytes) -> bytes:
    """What a decoder goes by beside tables: frame, sampling and colours. Two of one kind are decoded in one way."""
    return b"".join(bytes([marker]) + data[start:end] for marker, start, end in _segments(data) if marker not in TABLES)


def _zeroed(data: bytes) -> bool:
    """Whether a stretch of the scan was lost and reads as zeros: libjpeg often finds its way again without a warning.

    Where zeros mean the end of a block they are a plain surface; where they do not, there is no such picture.
    """
    if ZEROED not in data:
        return False
    end, components = 2, 0
    for marker, start, end in _segments(data):
        if marker in FRAMES:
            components = data[start + 5] if marker <= 0xC1 else 0
        if marker == HUFFMAN_TABLES and _zeros_end_blocks(data[start:end]):
            return False
    # Only where all components share one scan, each block of colour lies beside one of brightness.
    scanned_together = components > 0 and data[end + 4 : end + 5] == bytes([components])
    return scanned_together and ZEROED in data[end : data.find(b"\xff\xd9", end)]


def _zeros_end_blocks(tables: bytes) -> bool:
    """Whether the code of zeros, the first, is the end of a block in the table for AC coefficients of brightness."""
    at = 0
    while at + 18 <= len(tables):
        if tables[at] == AC_OF_BRIGHTNESS and tables[at + 17] == 0:
            return True
        at += 17 + sum(tables[at + 1 : at + 17])
    return False


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start of its content, end) up to the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in ALONE or marker == 0xD8:
            at += 2
            continue
        if marker in (START_OF_SCAN, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at + 4, min(at + 2 + length, len(data))
        at += 2 + max(length, 2)
