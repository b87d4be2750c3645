"""How much an LZW stream of a TIFF holds, without decoding it: libtiff fills what a damaged one lacks without a word.

A code's width depends on how many came since the last clearing of the table, so all between two clearings are read at
once; each entry is one longer than the code before it.
"""

import numpy as np
from numpy.typing import NDArray

CLEAR, END, FIRST = 256, 257, 258

MOST = 4096 - FIRST + 2
"""Codes between two clearings: then the table is full."""

WIDTHS = np.repeat([9, 10, 11, 12], [254, 512, 1024, MOST - 1790])
"""Bits of each code after a clearing; they grow one entry early, by the format."""

STARTS = np.concatenate([[0], np.cumsum(WIDTHS)[:-1]])


def lzw_length(data: bytes) -> int | None:
    """Bytes that come out; None for a stream with impossible codes."""
    bits = np.frombuffer(data + bytes(4), np.uint8).astype(np.uint32)
    at, total = 0, 0
    while at + 9 <= 8 * len(data):
        codes = _codes(bits, at, 8 * len(data))
        stops = np.flatnonzero((codes == CLEAR) | (codes == END))
        count = int(stops[0]) if len(stops) else len(codes)
        length = _length(codes[:count])
        if length is None or (not len(stops) and count == MOST):
            return None
        total += length
        if not len(stops) or codes[count] == END:
            return total
        at += int(STARTS[count] + WIDTHS[count])
    return total


def _codes(bits: NDArray[np.uint32], at: int, end: int) -> NDArray[np.int64]:
    """As many as may follow a clearing that ends at bit `at`."""
    fits = at + STARTS + WIDTHS <= end
    places, widths = at + STARTS[fits], WIDTHS[fits]
    byte = places >> 3
    three = (bits[byte] << 16) | (bits[byte + 1] << 8) | bits[byte + 2]
    return (three.astype(np.int64) >> (24 - (places & 7) - widths)) & ((1 << widths) - 1)


def _length(codes: NDArray[np.int64]) -> int | None:
    """Of the strings that these codes, after a clearing, stand for."""
    number = np.arange(len(codes))
    # The code at place i ≥ 1 makes entry 257 + i, and may be that entry itself.
    if (codes > np.where(number, END + number, CLEAR - 1)).any():
        return None
    # Entry 257 + i goes on from the code at i − 1: follow each code to its first byte, in doubled steps.
    before = np.where(codes >= FIRST, codes - FIRST, -1)
    steps = np.where(before >= 0, 1, 0)
    while (before >= 0).any():
        onward = before >= 0
        steps = steps + np.where(onward, steps[before], 0)
        before = np.where(onward, before[before], -1)
    return int((steps + 1).sum())
