"""Words on pictures: whatever the slide is called."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoserve.client.results.pictures.lettering import shortened, width_of, wrapped, write, write_rimmed
from histoserve.client.results.pictures.scale_bar import bar

NAME = "Fall 2024-117 Scheibe 12 Färbung HE Wiederholung nach Korrektur.svs"


def inked(text: str) -> np.ndarray:
    image = np.zeros((40, 300, 3), np.uint8)
    write(image, (5, 5), text, 18)
    return image


@given(text=st.text(max_size=40), width=st.integers(40, 400))
@settings(max_examples=25, deadline=None)
def test_any_text_can_be_written_and_fitted(text: str, width: int) -> None:
    image = np.full((30, 50, 3), 100, np.uint8)
    write(image, (-9, 20), text, 18)
    write_rimmed(image, (30, -5), text, 18, (255, 240, 0))

    assert width_of(shortened(text, 18, width), 18) <= width
    assert all(width_of(line, 18) <= width for line in wrapped(text, 18, width))


@pytest.mark.parametrize("letters", ["µm²", "Łódź", "Срез", "κλίμα"])
def test_letters_that_the_field_needs_are_there(letters: str) -> None:
    assert width_of(letters, 18) < 5 * 18
    pictures = {inked(letter).tobytes() for letter in letters}
    assert len(pictures) == len(set(letters))


def test_letters_that_the_font_lacks_are_written_as_their_codes() -> None:
    assert (inked("中") == inked("\\u4e2d")).all()
    assert (inked("a\nb") == inked("a\\nb")).all()


def test_both_ends_of_a_long_name_are_kept() -> None:
    short = shortened(NAME, 18, 300)

    assert short.startswith("Fall 2024")
    assert short.endswith("tur.svs")
    assert "…" in short
    assert shortened(NAME, 18, 3000) == NAME


def test_a_rim_makes_words_readable_on_their_own_colour() -> None:
    image = np.full((40, 200, 3), 255, np.uint8)
    write_rimmed(image, (5, 5), "20 µm", 18, (255, 255, 255))

    assert cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).min() < 60


@pytest.mark.parametrize(
    ("px_per_um", "most", "expected"),
    [
        (4, 100, (80, "20 µm")),
        (0.04, 400, (400, "10 mm")),
        (0.04, 50, (40, "1 mm")),
        (16, 20, (16, "1 µm")),
        (1, 1, (1, "1 µm")),
    ],
)
def test_a_scale_bar_is_a_round_number_and_right(px_per_um: float, most: float, expected: tuple[int, str]) -> None:
    assert bar(px_per_um, most) == expected


@given(px_per_um=st.floats(1e-4, 100), most=st.floats(8, 2000))
def test_a_scale_bar_fits_and_is_long_enough(px_per_um: float, most: float) -> None:
    length, _ = bar(px_per_um, most)

    assert 0.4 * most - 1 <= length <= most + 1
