"""One page of a TIFF, strip by strip or tile by tile, into memory.

OpenCV's own reader of TIFFs is asked for single strips only, as bytes: of whole files it believes what it should not.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import SlideError
from histoserve.client.formats import tags
from histoserve.client.formats.jpeg import decoded_jpeg, joined_jpeg, jpeg_size
from histoserve.client.formats.lzw import lzw_length
from histoserve.client.formats.samples import RGB, eight_bits, rgb_from
from histoserve.client.formats.tags import Page
from histoserve.client.slide import printable

OLD_LZW = b"\0\1"
"""How the streams of writers before 1990 begin, whose bits lie the other way round."""


def tiff_pixels(path: Path, page: Page) -> RGB:
    """A page for which `tags.unsupported` knows nothing, as stored: not turned. Raises SlideError for damage."""
    samples = _samples(path, page)
    if page.photometric == tags.PALETTE:
        return _coloured(path, page, samples)
    white = page.tags.valueof("MaxSampleValue", default=None)
    white = int(np.max(white)) if white is not None and 0 < np.max(white) <= 0xFFFF else None
    pixels = eight_bits(printable(path), samples, white)
    if page.photometric == tags.MINISWHITE:
        pixels[..., 0] = 255 - pixels[..., 0]
    colours = 3 if page.photometric in (tags.RGB, tags.YCBCR) else 1
    extra = tuple(page.extrasamples)
    alpha = {1: "premultiplied", 2: "straight"}.get(int(extra[0])) if extra else None
    # A fourth sample that is not said to be alpha is none: files have been met where it is zero everywhere.
    return rgb_from(printable(path), pixels if alpha else pixels[..., :colours], alpha)


def _samples(path: Path, page: Page) -> NDArray:
    """(H, W, samples) of 8 or 16 bits."""
    planes = page.samplesperpixel if page.planarconfig == 2 and page.samplesperpixel > 1 else 1
    dtype = np.dtype(np.uint8 if page.bitspersample == 8 else np.uint16)
    image = np.empty((page.imagelength, page.imagewidth, page.samplesperpixel), dtype)
    damaged = tags.damaged_segments(page, path.stat().st_size)
    if damaged.any():
        raise _damage(path, page, int(np.flatnonzero(damaged)[0]), "without bytes, too short or beyond the file's end")
    with path.open("rb") as file:
        for index, (plane, top, left) in enumerate(_places(page, planes)):
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
            part = image[top : top + _height(page), left : left + _width(page)]
            part = part if planes == 1 else part[..., plane : plane + 1]
            part[:] = _segment(path, page, index, data, part.shape, dtype)
    return image


def _places(page: Page, planes: int) -> Iterator[tuple[int, int, int]]:
    """(plane, top, left) of each strip or tile, in the file's order."""
    for plane in range(planes):
        for top in range(0, page.imagelength, _height(page)):
            for left in range(0, page.imagewidth, _width(page)):
                yield plane, top, left


def _height(page: Page) -> int:
    return int(page.tilelength) if page.is_tiled else min(max(1, int(page.rowsperstrip)), int(page.imagelength))


def _width(page: Page) -> int:
    return int(page.tilewidth) if page.is_tiled else int(page.imagewidth)


def _segment(path: Path, page: Page, index: int, data: bytes, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """What of a strip or tile lies within the image: `shape` (h, w, samples). Tiles are stored whole, strips cut."""
    height, width = (_height(page) if page.is_tiled else shape[0]), _width(page)
    if page.compression == tags.JPEG:
        pixels = _from_jpeg(path, page, index, data, (height, width, shape[2]))
    else:
        row_bytes = width * shape[2] * dtype.itemsize
        decoded = _bytes(page.compression, data, height, row_bytes, _height(page) * row_bytes)
        if decoded is None or len(decoded) < height * row_bytes:
            raise _damage(path, page, index, "damaged or shorter than it must be")
        stored = dtype.newbyteorder(page.parent.byteorder)
        pixels = np.frombuffer(decoded, stored, height * width * shape[2]).reshape(height, width, shape[2])
        pixels = pixels.astype(dtype)
        if page.predictor == 2:
            np.cumsum(pixels, axis=1, dtype=dtype, out=pixels)
    return pixels[: shape[0], : shape[1]]


def _from_jpeg(path: Path, page: Page, index: int, data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    rgb = None if shape[2] == 1 else page.photometric == tags.RGB
    data = joined_jpeg(data, page.jpegtables, rgb)
    stated = jpeg_size(printable(path), data)
    # The last strip may be stored whole as well.
    if stated[0] != shape[1] or stated[1] < shape[0] or stated[1] > _height(page) or stated[2] != shape[2]:
        raise _damage(path, page, index, f"a JPEG of {stated[0]}×{stated[1]}×{stated[2]}, not {shape} as stated")
    return decoded_jpeg(printable(path), data).reshape(stated[1], stated[0], stated[2])[: shape[0]]


def _bytes(compression: int, data: bytes, height: int, row_bytes: int, most: int) -> bytes | None:
    """None if damaged; never more than `most`: the last strip may be stored whole."""
    if compression == tags.NO_COMPRESSION:
        return data
    if compression in (tags.DEFLATE, tags.ADOBE_DEFLATE):
        try:
            # One byte more than wanted, so that the stream's end, and with it its checksum, is reached.
            stream = zlib.decompressobj()
            decoded = stream.decompress(data, most + 1)
            return decoded if stream.eof else None
        except zlib.error:
            return None
    if data[:2] != OLD_LZW or compression != tags.LZW:
        length = lzw_length(data) if compression == tags.LZW else _packbits_length(data)
        if length is None or not height * row_bytes <= length <= most:
            return None
    try:
        image = cv2.imdecode(_one_strip(compression, data, height, row_bytes), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    fits = image is not None and image.dtype == np.uint8 and image.size == height * row_bytes
    return image.tobytes() if fits else None


def _packbits_length(data: bytes) -> int | None:
    """Bytes that come out; None for a stream that ends within a run."""
    at, total = 0, 0
    while at < len(data):
        control = data[at]
        # 0 to 127: that many bytes and one follow; 129 to 255: one byte, 257 less that many times; 128 is nothing.
        total += control + 1 if control < 128 else (257 - control) % 129
        at += control + 2 if control < 128 else 1 + (control != 128)
    return total if at == len(data) else None


def _one_strip(compression: int, data: bytes, height: int, row_bytes: int) -> NDArray[np.uint8]:
    """A gray TIFF of one strip, one sample for each byte: LZW and PackBits know nothing of pixels."""
    entries = (
        (256, row_bytes), (257, height), (258, 8), (259, compression), (262, tags.MINISBLACK), (273, 8), (277, 1),
        (278, height), (279, len(data)),
    )  # fmt: skip
    directory = 8 + len(data) + len(data) % 2
    head = b"II*\0" + struct.pack("<I", directory)
    listed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    tiff = head + data + b"\0" * (len(data) % 2) + struct.pack("<H", len(entries)) + listed + bytes(4)
    return np.frombuffer(tiff, np.uint8)


def _coloured(path: Path, page: Page, indices: NDArray) -> RGB:
    colours = np.asarray(page.colormap if page.colormap is not None else [])
    if colours.shape != (3, 256):
        raise SlideError(
            f"{printable(path)} has a palette of {colours.shape} instead of 3 × 256 values: it is damaged."
        )
    table = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
    return np.ascontiguousarray(table.T[indices[..., 0]])


def _damage(path: Path, page: Page, index: int, what: str) -> SlideError:
    part = "tile" if page.is_tiled else "strip"
    return SlideError(
        f"{printable(path)} has a {part} (number {index}) that is {what}: it is damaged or cut short. Copy it again."
    )
