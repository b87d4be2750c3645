"""A slide's class and its abnormal regions, on rasters that a person can check."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoserve.ensemble.tissue.slide import tissue_slide

slide = partial(tissue_slide, k=10, threshold=0.5)


def rows(picture: str, side: int = 100) -> dict[str, np.ndarray]:
    """A tile for each digit, its abnormal probability in tenths, all of the first abnormal class; dots are no tiles."""
    squares = [(y, x, c) for y, line in enumerate(picture.split()) for x, c in enumerate(line) if c != "."]
    abnormal = np.array([int(c) / 10 for _, _, c in squares], np.float32)
    region = [(x * side, y * side, side, side) for y, x, _ in squares]
    return {
        "probability": np.column_stack((1 - abnormal, abnormal, 0 * abnormal)).astype(np.float32).reshape(-1, 3),
        "tile_region": np.array(region, np.float32).reshape(-1, 4),
        "network": np.full((len(squares), 1), 7, np.int32),
    }


@pytest.mark.parametrize(
    ("picture", "groups"),
    [
        ("99.. ..99", [0, 0, 0, 0]),
        ("9.9", [0, 1]),
        ("919", [0, -1, 1]),
        ("6..  .6.  ...  .99", [1, 1, 0, 0]),
        ("9....  ..666", [1, 0, 0, 0]),
        ("5", [0]),
        ("4", [-1]),
        ("", []),
    ],
)
def test_tiles_at_or_above_the_threshold_that_touch_are_a_group_the_worst_first(picture: str, groups: list) -> None:
    found = slide(**rows(picture))

    assert found["GROUP"].tolist() == groups
    assert found["ABNORMAL"].tolist() == [group >= 0 for group in groups]


def test_the_ten_most_abnormal_tiles_decide() -> None:
    found = slide(**rows("9999999999 0000000000 0000000000"))

    np.testing.assert_allclose(found["PROBABILITY"], [0.1, 0.9, 0], atol=1e-6)


def test_fewer_than_ten_tiles_decide_all_together() -> None:
    np.testing.assert_allclose(slide(**rows("90"))["PROBABILITY"], [0.55, 0.45, 0], atol=1e-6)


def test_a_slide_without_any_tile_has_no_class() -> None:
    assert slide(**rows(""))["PROBABILITY"].tolist() == [0, 0, 0]


def test_of_equal_tiles_the_upper_and_left_ones_decide() -> None:
    tiles = rows("55")
    tiles["probability"] = np.array([(0.5, 0, 0.5), (0.5, 0.5, 0)], np.float32)

    assert tissue_slide(**tiles, k=1, threshold=0.5)["PROBABILITY"].tolist() == [0.5, 0, 0.5]


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_neither_order_nor_repetition_changes_a_bit(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    tiles = rows(" ".join("".join(map(str, line)) for line in random.integers(0, 10, (count, 3))))
    again = random.permutation(np.concatenate((np.arange(3 * count), random.integers(0, 3 * count, 5))))
    one, other = slide(**tiles), slide(**{name: column[again] for name, column in tiles.items()})

    assert one["PROBABILITY"].tobytes() == other["PROBABILITY"].tobytes()
    np.testing.assert_array_equal(one["GROUP"][again], other["GROUP"])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([(0.5, 0.2)], "add up to 1"),
        ([(np.nan, 1)], "PROBABILITY 0 is"),
        ([(2, -1)], "PROBABILITY 0 is"),
        ([(1,)], "two classes or more"),
        ([(1, 0), (1, 0)], r"wanted \[1, classes\]"),
    ],
)
def test_what_are_no_probabilities_is_refused(bad: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        slide(**{**rows("5"), "probability": np.array(bad, np.float32)})
