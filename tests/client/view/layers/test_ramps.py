"""Colours come out of the palette as they went in, from transparent to opaque."""

import numpy as np
import pytest
from made_up_layers import decoded

from histoserve.client.results.palette import PALETTE
from histoserve.client.view.layers.ramps import MOST, RIM, Ramps, plain, rimmed

VALUES = np.arange(256, dtype=np.uint8)[None]


@pytest.mark.parametrize("count", [1, 4, 8])
def test_each_colour_rises_from_transparent_to_opaque_in_steps(count: int) -> None:
    ramps = Ramps([plain(colour) for colour in PALETTE[:count]])
    for number, colour in enumerate(PALETTE[:count]):
        pixels = decoded(ramps.png(np.full((1, 256), number), VALUES))[0]
        assert not pixels[0].any()
        assert (pixels[1:, :3] == colour).all()
        assert pixels[1, 3] > 0
        assert np.abs(pixels[:, 3].astype(int) - VALUES[0]).max() <= 255 / (255 // count)
        assert pixels[255, 3] == 255


def test_a_rim_is_in_contrast_to_the_line_on_it() -> None:
    pixels = decoded(
        Ramps([rimmed((255, 240, 0)), rimmed((0, 80, 0))]).png(
            np.array([[0, 0, 1, 1]]), np.array([[RIM, 255] * 2], np.uint8)
        )
    )[0]
    assert np.abs(pixels[::2, :3].astype(int) - [(0, 0, 0), (255, 255, 255)]).max() < 8
    assert pixels[1::2].tolist() == [[255, 240, 0, 255], [0, 80, 0, 255]]
    assert (pixels[:, 3] == 255).all()


def test_no_colours_are_transparent_and_too_many_are_refused() -> None:
    assert not decoded(Ramps([]).png(np.zeros((2, 2), int), np.zeros((2, 2), np.uint8))).any()
    assert decoded(Ramps([plain((1, 2, 3))] * MOST).png(np.array([[254]]), np.array([[9]], np.uint8)))[0, 0, 3] == 255
    with pytest.raises(ValueError, match="256 colours at a time cannot be shown"):
        Ramps([plain((1, 2, 3))] * (MOST + 1))
