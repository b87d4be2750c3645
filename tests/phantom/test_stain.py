"""Light through dyes."""

import numpy as np
import pytest

from histoserve.phantom.stain import LAMP, PER_UNIT, haematoxylin_of, quantised, stained, transmission


def test_no_dye_shows_the_lamp_and_two_layers_multiply() -> None:
    table = transmission().astype(float)
    bare, once, twice = table[0], table[256 * 50], table[256 * 100]

    assert bare.tolist() == list(LAMP)
    assert (once / bare) ** 2 == pytest.approx(twice / bare, abs=0.01)


def test_haematoxylin_is_found_again_whatever_the_eosin() -> None:
    amounts = np.array([[0.2, 0.6, 1.0]], np.float32)
    eosin = np.array([[0.5, 0.0, 0.3]], np.float32)

    image = stained(quantised(amounts), quantised(eosin), transmission())

    assert haematoxylin_of(image) == pytest.approx(amounts, abs=0.03)


def test_amounts_out_of_range_are_clipped() -> None:
    assert quantised(np.array([-1.0, 0.5, 9.0], np.float32)).tolist() == [0, PER_UNIT // 2, 255]
