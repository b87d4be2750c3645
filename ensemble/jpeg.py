"""JPEG, by libjpeg-turbo in its strict mode: what it warns of is an error.

A JPEG carries no checksum. What is found: a file or scan that is cut short, markers and tables that contradict each
other, entropy-coded data that has no meaning, ends too early or too late. What cannot be found by anyone: changed bits
that decode to as many coefficients as before; they give a picture, with wrong pixels from there to the next restart.
"""

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray

JPEG = b"\xff\xd8\xff"

MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan: neither a stuffed FF, nor a restart."""
MAX_SCANS = 100
"""Encoders write about ten; each costs a pass over the whole picture, however few bytes it has."""

MAX_SEGMENTS = 10_000
"""Tables, profiles, comments: they are followed with Python's lock held."""

EOI, SOS = 0xD9, 0xDA
READ = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
UNREAD = {
    0xC3: "lossless",
    **dict.fromkeys((0xC5, 0xC6, 0xC7), "hierarchical"),
    **dict.fromkeys((0xC9, 0xCA), "arithmetic-coded"),
    0xCB: "lossless",
    **dict.fromkeys((0xCD, 0xCE, 0xCF), "hierarchical"),
    0xF7: "JPEG-LS",
}
"""Kinds of frames by their marker."""


def jpeg_header(data: bytes) -> tuple[int, int]:
    """Width and height; ValueError for what is no 8-bit baseline or progressive JPEG in grey or three colours."""
    check_segments(data)
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        fault = "truncated, corrupt or of a subsampling that is not known"
        raise ValueError(f"is a JPEG whose header cannot be read: {fault} ({error})") from error
    return width, height


def jpeg_pixels(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """RGB (height, width, 3), of the size that the header has.

    A tag for orientation is not obeyed: a tile lies as its bytes say.
    """
    try:
        return simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, strict=True)
    except ValueError as error:
        fault = f"cannot be decoded: truncated or corrupt ({error})"
        raise ValueError(f"is a JPEG of {len(data)} bytes that {fault}") from error


def check_segments(data: bytes) -> None:
    """Follows the markers from the first to the end of the picture."""
    position, scans, frame = 2, 0, False
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, position)
        if found is None:
            raise ValueError(f"is a JPEG of {len(data)} bytes without its end: truncated or corrupt")
        code, start = data[found.start() + 1], found.end()
        if code == EOI:
            return
        length = int.from_bytes(data[start : start + 2], "big")
        if length < 2 or start + length > len(data):
            raise ValueError(f"is a JPEG of {len(data)} bytes with a segment beyond its end: truncated or corrupt")
        if code in UNREAD:
            raise ValueError(f"is a JPEG of a kind that is not read, {UNREAD[code]}; wanted baseline or progressive")
        if code in READ:
            check_frame(data[start + 2 : start + length], frame)
            frame = True
        scans += code == SOS
        if scans > MAX_SCANS:
            raise ValueError(f"is a JPEG of more than {MAX_SCANS} scans; wanted no more: encode it again")
        position = start + length
    raise ValueError(f"is a JPEG of more than {MAX_SEGMENTS} segments; wanted no more: encode it again")


def check_frame(frame: bytes, again: bool) -> None:
    """Precision, height, width, components: what a frame's segment says after its length."""
    if len(frame) < 6 or again:
        raise ValueError("is a JPEG of no or several frames: truncated or corrupt")
    if frame[0] != 8:
        raise ValueError(f"is a JPEG of {frame[0]} bits a sample; wanted 8")
    if frame[5] == 4:
        raise ValueError("is a JPEG of four colours (CMYK); wanted RGB, YCbCr or grey")
    if frame[5] not in (1, 3):
        raise ValueError(f"is a JPEG of {frame[5]} components; wanted three, or one for grey")
