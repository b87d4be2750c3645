"""PPM, raw RGB behind a line of text: `P6 width height 255`, whitespace and comments as the format has them."""

import re

import numpy as np
from numpy.typing import NDArray

PPM = b"P6"

HEADER_BYTES = 1024
"""Longer comments are refused: the search for the header's end must not depend on the sender."""
GAP = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+"
HEADER = re.compile(rb"P6%b([0-9]{1,9})%b([0-9]{1,9})%b([0-9]{1,5})[ \t\r\n\v\f]" % (GAP, GAP, GAP))


def ppm_header(data: bytes) -> tuple[int, int]:
    """Width and height; ValueError unless exactly so many bytes follow."""
    header = HEADER.match(data[:HEADER_BYTES])
    if header is None:
        raise ValueError("is a PPM whose header cannot be read: truncated or corrupt; wanted P6, width, height, 255")
    width, height, most = (int(number) for number in header.groups())
    if most != 255:
        raise ValueError(f"is a PPM with values up to {most}; wanted 255, one byte a sample")
    if not width or not height:
        raise ValueError(f"is a PPM of {width} x {height} pixels")
    there, wanted = len(data) - header.end(), width * height * 3
    if there != wanted:
        fault = "truncated" if there < wanted else "more than one picture, or corrupt"
        raise ValueError(f"is a PPM of {width} x {height} pixels with {there} bytes for {wanted}: {fault}")
    return width, height


def ppm_pixels(data: bytes, width: int, height: int) -> NDArray[np.uint8]:
    """RGB (height, width, 3), a view of `data`, which `ppm_header` must have found right."""
    return np.frombuffer(data, np.uint8, offset=len(data) - width * height * 3).reshape(height, width, 3)
