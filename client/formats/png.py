"""PNG: what its chunks say, and its pixels."""

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.formats.jpeg import exif_orientation

GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6


def decoded_png(name: str, data: bytes) -> tuple[NDArray, bool]:
    """(H, W, 1 to 4) of 8 or 16 bits as stored, gray or RGB, and whether the last sample is (straight) alpha.

    Raises SlideError for damage and for animations.
    """
    chunks = _checked_chunks(name, data)
    if "acTL" in chunks and struct.unpack(">I", chunks["acTL"][:4].rjust(4, b"\0"))[0] > 1:
        raise SlideError(f"{name} is an animated PNG; an image of one frame is needed.")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None or image.shape[1::-1] != png_size(name, data):
        raise _damaged(name)
    if image.ndim == 2 and "tRNS" in chunks:
        # One gray value that is transparent; OpenCV knows them for colours and palettes only.
        clear = int.from_bytes(chunks["tRNS"][:2], "big") * (255 // (2 ** data[24] - 1) if data[24] < 8 else 1)
        return np.dstack(
            [image, np.where(image == clear, 0, 255 if image.dtype == np.uint8 else 65535).astype(image.dtype)]
        ), True
    if image.ndim == 2:
        return image[..., None], False
    return np.ascontiguousarray(image[..., [2, 1, 0, 3][: image.shape[2]]]), image.shape[2] == 4


def png_size(name: str, data: bytes) -> tuple[int, int]:
    """(width, height) as the header has them."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise _damaged(name)
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def png_orientation(data: bytes) -> int:
    """1 to 8 from EXIF; 1, upright, where there is none."""
    return next((exif_orientation(content) for kind, content, _ in _chunks(data) if kind == b"eXIf"), 1)


def _checked_chunks(name: str, data: bytes) -> dict[str, bytes]:
    """Kind → content of the last of it; raises SlideError if a checksum is wrong or the end is missing."""
    found = {}
    for kind, content, checksum in _chunks(data):
        if zlib.crc32(content, zlib.crc32(kind)) != checksum:
            raise _damaged(name)
        found[kind.decode("latin-1")] = content
        if kind == b"IEND":
            return found
    raise _damaged(name)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length], int.from_bytes(data[at + 8 + length :][:4], "big")
        at += 12 + length


def _damaged(name: str) -> SlideError:
    return SlideError(f"{name} cannot be read as an image: it is damaged or cut short. Copy it again.")
