"""Pictures that are nearly right: valid files of every format, changed so that decoders get far into them."""

import functools
import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

Rng = np.random.Generator
SIZES = (
    0,
    1,
    2,
    7,
    8,
    9,
    63,
    64,
    65,
    255,
    256,
    4096,
    8192,
    32767,
    32768,
    65500,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
"""Of pictures, segments, chunks: those that programs mistake."""
NUMBERS = (0.0, -0.0, 1.0, -1.0, 64.0, 1e-45, 1e-38, 2.0**24, 2.0**30, 3e38, -3e38, np.inf, -np.inf, np.nan)
"""Coordinates of the same kind."""


def cell(side: int = 48) -> np.ndarray:
    """A dark disc on a noisy ramp, uint8 (side, side, 3)."""
    y, x = np.mgrid[:side, :side]
    rgb = np.stack((180 + x, 120 + y, 200 + 0 * x), -1) + np.random.default_rng(0).integers(-20, 20, (side, side, 3))
    rgb[(x - side // 2) ** 2 + (y - side // 2) ** 2 < side**2 // 9] //= 3
    return rgb.clip(0, 255).astype(np.uint8)


def by_pillow(mode: str, form: str, **options: object) -> bytes:
    file, image = io.BytesIO(), Image.fromarray(cell())
    (image.quantize(200) if mode == "P" else image.convert(mode)).save(file, form, **options)
    return file.getvalue()


def by_opencv(extension: str, *options: int, dtype: type = np.uint8) -> bytes:
    return cv2.imencode(extension, cell().astype(dtype), options)[1].tobytes()


@functools.cache
def seeds() -> dict[str, list[bytes]]:
    """Valid files by format."""
    restarts, progressive, sampling = (
        (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
        (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111),
    )
    jpeg = [by_opencv(".jpg", *options) for options in ((), restarts, progressive, sampling, progressive + restarts)]
    jpeg += [by_pillow("L", "JPEG"), by_pillow("CMYK", "JPEG"), by_pillow("RGB", "JPEG", keep_rgb=True)]
    png = [by_pillow(mode, "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")]
    png += [by_pillow("P", "PNG", transparency=3), by_pillow("RGB", "PNG", transparency=(1, 2, 3)), interlaced(cell(9))]
    png += [by_opencv(".png", dtype=np.uint16)]
    ppm = [by_opencv(".ppm"), by_opencv(".ppm").replace(b"\n", b" # a comment\n", 1)]
    others = [by_opencv(extension) for extension in (".tiff", ".webp", ".bmp", ".jp2")] + [by_pillow("P", "GIF")]
    return {"JPEG": jpeg, "PNG": png, "PPM": ppm, "other": others}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, scanlines: bytes, *more: bytes, depth: int = 8, colour: int = 2, adam7: int = 0
) -> bytes:
    """A PNG of what its header and its data say, whether they fit or not."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, adam7))
    data = chunk(b"IDAT", zlib.compress(scanlines))
    return b"\x89PNG\r\n\x1a\n" + size + b"".join(more) + data + chunk(b"IEND", b"")


def interlaced(rgb: np.ndarray) -> bytes:
    """In Adam7's seven passes."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = [rgb[y::down, x::across] for y, x, down, across in passes]
    lines = b"".join(b"\0" + line.tobytes() for part in parts if part.size for line in part)
    return png(rgb.shape[1], rgb.shape[0], lines, adam7=1)


def mutated(data: bytes, rng: Rng) -> bytes:
    """`data` with one to four changes: most files only by their structure, so that decoders do not stop at once."""
    by_structure = rng.random() < 0.7
    for _ in range(rng.integers(1, 5)):
        structure = {b"\xff\xd8": jpeg_change, b"\x89P": png_change, b"P6": ppm_change}.get(data[:2], byte_change)
        change: Callable[[bytes, Rng], bytes] = structure if by_structure else byte_change
        data = change(data, rng)
    return data


def byte_change(data: bytes, rng: Rng) -> bytes:
    """Something that disks, networks and fools do."""
    start = int(rng.integers(len(data) + 1))
    end = min(len(data), start + int(2 ** rng.uniform(0, 9)))
    block = data[start:end]
    new = (
        b"",
        block * 2,
        bytes(len(block)),
        b"\xff" * len(block),
        rng.bytes(len(block)),
        rng.bytes(1) + block,
        bytes(byte ^ (1 << int(rng.integers(8))) for byte in block[:1]) + block[1:],
        block + data[: int(rng.integers(64))],
    )[rng.integers(8)]
    return data[:start] if rng.random() < 0.05 else data[:start] + new + data[end:]


def size_change(field: bytes, rng: Rng) -> bytes:
    """A number of 1, 2 or 4 bytes."""
    value = int(rng.choice(SIZES)) if rng.random() < 0.7 else int.from_bytes(field, "big") + int(rng.integers(-3, 4))
    return (value % 256 ** len(field)).to_bytes(len(field), "big")


def put(part: bytes, at: int, new: bytes) -> bytes:
    return part[:at] + new + part[at + len(new) :]


def reordered(parts: list[bytes], index: int, rng: Rng) -> list[bytes]:
    """One part removed, doubled or moved."""
    without = parts[:index] + parts[index + 1 :]
    place = int(rng.integers(len(parts)))
    return [without, [*parts[:index], *parts[index : index + 1] * 2, *parts[index + 1 :]],
            [*without[:place], parts[index], *without[place:]]][rng.integers(3)]  # fmt: skip


def jpeg_change(data: bytes, rng: Rng) -> bytes:
    """One segment: its length, its marker, a number or bytes in it, or its place."""
    parts, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position] == 0xFF and len(parts) < 50:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        parts.append(data[position:end])
        position = max(end, position + 4)
    parts.append(data[position:])
    index = int(rng.integers(1, len(parts)))
    part = parts[index]
    if not part:
        return data
    at = int(rng.integers(min(len(part), 600)))
    kind = rng.integers(6)
    if kind == 0:
        parts = reordered(parts, index, rng)
    elif kind == 1:
        parts[index] = put(part, 2, size_change(part[2:4], rng))
    elif kind == 2:
        parts[index] = put(part, 1, bytes([int(rng.integers(0xC0, 0x100))]))
    elif kind == 3:
        parts[index] = put(part, at, size_change(part[at : at + 1 + int(rng.integers(2))], rng))
    elif kind == 4:
        parts.insert(index, b"\xff\xdd\0\4" + size_change(b"\0\1", rng))
    else:
        parts[index] = byte_change(part, rng)
    return b"".join(parts)


def png_change(data: bytes, rng: Rng) -> bytes:
    """One chunk, with its right checksum afterwards: its name, its place, a number or bytes in it, or its scanlines."""
    parts, position = [], 8
    while position + 12 <= len(data) and len(parts) < 50:
        length = int.from_bytes(data[position : position + 4], "big")
        parts.append(data[position : position + 12 + length])
        position += 12 + length
    if not parts:
        return byte_change(data, rng)
    index = int(rng.integers(len(parts)))
    name, body = parts[index][4:8], parts[index][8:-4]
    kind = rng.integers(6)
    if kind == 0:
        parts = reordered(parts, index, rng)
    elif kind == 1:
        names = (b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND", b"acTL", b"fdAT", b"iCCP", b"zTXt", b"sRGB")
        parts[index] = chunk(names[rng.integers(len(names))], body)
    elif kind == 2 and len(body) > 4:
        at = int(rng.integers(len(body)))
        width = int(rng.choice((1, 2, 4)))
        parts[index] = chunk(name, put(body, at, size_change(body[at : at + width], rng)))
    elif kind == 3 and name == b"IDAT":
        parts[index] = chunk(name, scanline_change(body, rng))
    elif kind == 4:
        size = size_change(b"\0\0\0\x30", rng)
        parts[0] = chunk(b"IHDR", put(parts[0][8:-4], int(rng.choice((0, 4))), size * int(rng.integers(1, 3))))
    else:
        parts[index] = chunk(name, byte_change(body, rng))
    return data[:8] + b"".join(parts) + data[position:]


def scanline_change(body: bytes, rng: Rng) -> bytes:
    """The compressed data with other filters, pixels or lengths in them."""
    try:
        return zlib.compress(byte_change(zlib.decompressobj().decompress(body, 2**20), rng))
    except zlib.error:
        return byte_change(body, rng)


def ppm_change(data: bytes, rng: Rng) -> bytes:
    """One of the header's numbers."""
    numbers = data[:40].split()
    if len(numbers) < 4:
        return byte_change(data, rng)
    number = numbers[1 + int(rng.integers(3))]
    return data.replace(number, str(rng.choice(SIZES)).encode(), 1)


def region(rng: Rng) -> np.ndarray:
    """x, y, width, height, float32 (1, 4): mostly right."""
    right = np.array([[0, 0, 48, 48]], np.float32)
    if rng.random() < 0.1:
        with np.errstate(over="ignore"):
            right[0, rng.integers(4)] = rng.choice(NUMBERS)
    return right
