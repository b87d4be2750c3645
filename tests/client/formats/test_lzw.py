"""How much an LZW stream holds."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoserve.client.formats.lzw import lzw_length


def compressed(pixels: np.ndarray, writer: str) -> bytes:
    """The one strip of a gray TIFF by another library."""
    file = io.BytesIO()
    if writer == "libtiff":
        Image.fromarray(pixels).save(file, "tiff", compression="tiff_lzw", tiffinfo={278: len(pixels)})
    else:
        tifffile.imwrite(file, pixels, compression="lzw", rowsperstrip=len(pixels), predictor=False)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        assert len(page.dataoffsets) == 1
        return file.getvalue()[page.dataoffsets[0] :][: page.databytecounts[0]]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 300), st.integers(1, 256), st.sampled_from(["libtiff", "tifffile"]))
def test_all_that_was_put_in_is_counted(height: int, width: int, shades: int, writer: str) -> None:
    pixels = np.random.default_rng(shades).integers(0, shades, (height, width), np.uint8)

    assert lzw_length(compressed(pixels, writer)) == pixels.size


@pytest.mark.parametrize("shades", [2, 20, 100])
def test_a_stream_with_zeroed_or_missing_bytes_holds_less_or_more(shades: int) -> None:
    pixels = np.random.default_rng(0).integers(0, shades, (200, 300), np.uint8)
    data = compressed(pixels, "tifffile")
    for start in range(200, len(data) - 300, max(1, len(data) // 20)):
        assert lzw_length(data[:start] + bytes(200) + data[start + 200 :]) != pixels.size
        assert lzw_length(data[:start]) != pixels.size


def test_the_smallest_streams() -> None:
    # 9 bits each: clear, 7, end.
    assert lzw_length(bytes([0b10000000, 0b00000001, 0b11100000, 0b00100000])) == 1
    assert lzw_length(b"") == 0
