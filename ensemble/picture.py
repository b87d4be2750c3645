"""Encoded pictures: which formats are read, by their first bytes, and by what other formats are refused.

    bytes ─first bytes─▶ jpeg │ png │ ppm ─header, checks─▶ Picture(format, width, height) ─pixels─▶ RGB

Nothing is decoded, and no memory taken, before the header was judged. Each format is read by one library, header and
pixels, chosen because no sequence of bytes was found that ends its process: OpenCV's, which reads more formats, has
decoders of which that cannot be said, and swallows what a decoder warns of.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.jpeg import JPEG, jpeg_header, jpeg_pixels
from histoserve.ensemble.png import PNG, png_header, png_pixels
from histoserve.ensemble.ppm import PPM, ppm_header, ppm_pixels

ACCEPTED = "JPEG, PNG, PPM (P6)"


@dataclass(frozen=True)
class Format:
    """How one format is read; what is damaged, or of a kind that is not read, raises ValueError."""

    name: str
    header: Callable[[bytes], tuple[int, int]]
    """Width and height in pixels."""
    pixels: Callable[[bytes, int, int], NDArray[np.uint8]]
    """RGB of the width and height that the header has."""


READ = {
    JPEG: Format("JPEG", jpeg_header, jpeg_pixels),
    PNG: Format("PNG", png_header, png_pixels),
    PPM: Format("PPM", ppm_header, ppm_pixels),
}
"""By first bytes."""

REFUSED = (
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "BigTIFF"),
    (0, b"MM\0+", "BigTIFF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"II\xbc", "JPEG XR"),
    (8, b"WEBP", "WebP"),
    (4, b"ftyp", "AVIF or HEIF"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"P1", "PBM"),
    (0, b"P4", "PBM"),
    (0, b"P2", "PGM"),
    (0, b"P5", "PGM"),
    (0, b"P3", "PPM in text (P3)"),
    (0, b"P7", "PAM"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (128, b"DICM", "DICOM"),
    (0, b"%PDF", "PDF"),
)
"""Where which bytes stand, and what they mean: only to name what came."""


def format_of(data: bytes) -> Format:
    """The format of an encoded picture; ValueError for what is not read."""
    if not data:
        raise ValueError(f"is empty; wanted an encoded picture: {ACCEPTED}")
    for magic, each in READ.items():
        if data.startswith(magic):
            return each
    for offset, magic, name in REFUSED:
        if data.startswith(magic, offset):
            raise ValueError(f"is {name}, which is not read; wanted {ACCEPTED}")
    raise ValueError(f"({len(data)} bytes starting with {data[:4]!r}) is no picture that is known; wanted {ACCEPTED}")
