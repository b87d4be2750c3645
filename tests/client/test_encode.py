"""Pixels on their way to the server."""

import cv2
import numpy as np
import pytest

from histoserve.client.errors import WrongUsage
from histoserve.client.travel.encode import Encoding, encode, encoding_from_text


def test_raw_is_exact() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)

    decoded = cv2.imdecode(np.frombuffer(encode(rgb, Encoding()), np.uint8), cv2.IMREAD_COLOR)

    np.testing.assert_array_equal(decoded[..., ::-1], rgb)


def test_jpeg_keeps_the_order_of_the_channels() -> None:
    rgb = np.full((16, 16, 3), (200, 100, 30), np.uint8)

    decoded = cv2.imdecode(np.frombuffer(encode(rgb, Encoding("jpeg", 95)), np.uint8), cv2.IMREAD_COLOR)

    assert np.abs(decoded[..., ::-1].astype(int) - rgb).max() <= 3


@pytest.mark.parametrize(
    ("text", "written"), [("raw", "raw"), ("jpeg", "jpeg:90"), ("jpeg:75", "jpeg:75"), ("jpeg:100", "jpeg:100")]
)
def test_options_are_understood(text: str, written: str) -> None:
    assert str(encoding_from_text(text)) == written


@pytest.mark.parametrize("text", ["", "png", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:x", "raw:90", "jpeg:-1", "jpeg:²"])
def test_other_options_are_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="raw, jpeg"):
        encoding_from_text(text)
