"""PNG, by Pillow, from the chunks that make the picture; each of them must have its right checksum."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The stage checks its own limit before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

PNG = b"\x89PNG\r\n\x1a\n"

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
DEPTHS = {GREY: (8,), RGB: (8,), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8,), RGBA: (8,)}
"""Bits a sample that are read, by kind of colour."""
MAX_CHUNKS = 100_000
"""Encoders put 8 kB or more into each; they are followed with Python's lock held."""
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row of each pass, and its steps across and down."""
NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
"""All others (profiles, texts, animation, which may be bombs of their own) are not shown to the decoder."""


def png_header(data: bytes) -> tuple[int, int]:
    """Width and height; ValueError for truncated or changed bytes, and for kinds that are not read."""
    names = [name for name, _ in chunks(data)]
    if names[0] != b"IHDR" or names.count(b"IHDR") != 1 or b"IDAT" not in names or len(data) < 33:
        raise ValueError("is a PNG without one header and data: truncated or corrupt")
    if int.from_bytes(data[8:12], "big") != 13:
        raise ValueError("is a PNG with a header of a wrong length: corrupt")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, compression, filtering, interlace = data[24:29]
    if not width or not height or colour not in DEPTHS or compression or filtering or interlace > 1:
        raise ValueError("is a PNG with a header that makes no sense: corrupt")
    if depth not in DEPTHS[colour]:
        raise ValueError(f"is a PNG of {depth} bits a sample; wanted 8")
    return width, height


def png_pixels(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """RGB (height, width, 3), transparent parts over white."""
    check_scanlines(data, width, height)
    picture = PNG + b"".join(chunk for name, chunk in chunks(data) if name in NEEDED)
    try:
        with Image.open(io.BytesIO(picture), formats=["PNG"]) as image:
            return rgb(image)
    # Pillow raises SyntaxError for some damaged files, and what else its parsers come upon.
    except (OSError, SyntaxError, EOFError, IndexError, KeyError, TypeError, zlib.error, ValueError) as error:
        fault = f"cannot be decoded: truncated or corrupt ({error})"
        raise ValueError(f"is a PNG of {len(data)} bytes that {fault}") from error


def check_scanlines(data: bytes, width: int, height: int) -> None:
    """ValueError unless as many bytes were compressed as the header needs; for too few, Pillow would give black."""
    depth, colour, _, _, interlace = data[24:29]
    bits = depth * SAMPLES[colour]
    sizes = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in ADAM7[: 7 * interlace]]
    wanted = sum(h * (1 + -(-w * bits // 8)) for w, h in sizes or [(width, height)] if w > 0 and h > 0)
    stream = zlib.decompressobj()
    try:
        there = len(
            stream.decompress(b"".join(part[8:-4] for name, part in chunks(data) if name == b"IDAT"), wanted + 1)
        )
    except zlib.error as error:
        raise ValueError(f"is a PNG of {len(data)} bytes that cannot be decoded: corrupt ({error})") from error
    if there != wanted or not stream.eof:
        raise ValueError(f"is a PNG of {width} x {height} pixels without exactly their data: truncated or corrupt")


def rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "P":
        colours = len(image.getpalette() or ()) // 3
        if np.asarray(image).max() >= colours:
            raise ValueError(f"names a colour beyond its palette of {colours}")
    if "A" not in image.mode and "transparency" not in image.info:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    rgba = np.asarray(image.convert("RGBA"))
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and bytes of each chunk up to the end of the picture; ValueError for one that is cut short or changed."""
    view, position = memoryview(data), len(PNG)
    for _ in range(MAX_CHUNKS):
        length, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            raise ValueError(f"is a PNG of {len(data)} bytes without its end: truncated or corrupt")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise ValueError(f"is a PNG whose chunk {name!r} has a wrong checksum: corrupt")
        yield name, view[position:end]
        if name == b"IEND":
            return
        position = end
    raise ValueError(f"is a PNG of more than {MAX_CHUNKS} chunks; wanted no more: encode it again")
