"""Heat map, direction and extent on rasters that a person can check."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoserve.ensemble.spread.slide import spread_slide

slide = partial(spread_slide, lesion=0.5, reached=0.1, least_one_sided=0.3)


def rows(picture: str, side: int = 100, mpp: float = 2) -> dict[str, np.ndarray]:
    """A region for each digit, its value in tenths; dots are no regions."""
    squares = [(y, x, c) for y, line in enumerate(picture.split()) for x, c in enumerate(line) if c != "."]
    return {
        "value": np.array([int(c) / 10 for _, _, c in squares], np.float32),
        "tile_region": np.array([(x * side, y * side, side, side) for y, x, _ in squares], np.float32).reshape(-1, 4),
        "mpp": np.array([mpp], np.float32),
        "network": np.full((len(squares), 1), 7, np.int32),
    }


def test_the_heat_map_is_row_by_row_with_nothing_where_no_region_is() -> None:
    np.testing.assert_array_equal(
        slide(**rows("12. .34"))["HEATMAP"], np.array([[0.1, 0.2, np.nan], [np.nan, 0.3, 0.4]], np.float32)
    )


@pytest.mark.parametrize(
    ("picture", "fall"),
    [
        ("987 987 987", (0.1, 0)),
        ("999 888 777", (0, 0.1)),
        ("987 876 765", (0.1, 0.1)),
        (".9. .5. .1.", (0, 0.4)),
        ("... 95. ...", (0.4, 0)),
        ("555 555 555", (0, 0)),
        ("... .5. ...", (0, 0)),
        ("010 151 010", (0, 0)),
    ],
)
def test_the_direction_is_from_the_larger_to_the_smaller(picture: str, fall: tuple) -> None:
    found = slide(**rows(picture))
    place = [1 - int(rows(picture)["tile_region"][:, axis].min()) // 100 for axis in (1, 0)]

    np.testing.assert_allclose(found["DIRECTION"][tuple(place)], fall, atol=1e-6)


def test_there_is_no_direction_where_no_region_is() -> None:
    assert np.isnan(slide(**rows("1. .1"))["DIRECTION"][0, 1]).all()


@pytest.mark.parametrize(
    ("picture", "main"),
    [
        ("9.2", (200, 0)),
        ("993", (150, 0)),
        ("9.. ... ..2", (200, 200)),
        ("900 000 000", None),
        ("2.9.2", None),
        ("222 292 222", None),
        ("000", None),
        ("999", None),
        ("", None),
        ("3.9..1", (0, 0)),
    ],
)
def test_the_main_direction_leads_from_the_primary_to_what_was_reached(picture: str, main: tuple | None) -> None:
    found = slide(**rows(picture))["MAIN_DIRECTION"]

    if main == (0, 0):
        # Three times as much on the left, at two thirds of the distance.
        assert found[0] < 0
    elif main is None:
        assert np.isnan(found).all()
    else:
        np.testing.assert_allclose(found, main, atol=1e-3)


def test_the_primary_is_the_largest_part_and_not_the_highest_value() -> None:
    assert slide(**rows("9..66 ...66"))["PRIMARY"].tolist() == [[False] * 3 + [True] * 2] * 2


def test_the_extent_is_two_areas_and_a_distance() -> None:
    # Squares of 200 µm: 0.04 mm².
    np.testing.assert_allclose(slide(**rows("9..1 0..."))["EXTENT"], [0.04, 0.08, 600])


def test_without_a_primary_nothing_is_far_from_it() -> None:
    np.testing.assert_allclose(slide(**rows("1..1"))["EXTENT"], [0, 0.08, 0])


def test_without_a_scale_there_is_a_direction_and_no_extent() -> None:
    found = slide(**rows("9.2", mpp=np.nan))

    assert np.isnan(found["EXTENT"]).all()
    assert found["MAIN_DIRECTION"].tolist() == [200, 0]


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_neither_order_nor_repetition_changes_a_bit(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    tiles = rows(" ".join("".join(map(str, line)) for line in random.integers(0, 10, (count, 4))))
    again = random.permutation(np.concatenate((np.arange(4 * count), random.integers(0, 4 * count, 5))))
    picked = {name: tiles[name] if name == "mpp" else tiles[name][again] for name in tiles}
    one, other = slide(**tiles), slide(**picked)

    assert {name: each.tobytes() for name, each in one.items()} == {
        name: each.tobytes() for name, each in other.items()
    }


@pytest.mark.parametrize(
    ("name", "bad", "words"),
    [
        ("value", [1.5], "VALUE 0 is 1.5"),
        ("value", [np.nan], "VALUE 0 is nan"),
        ("value", [0.1, 0.2], r"wanted \[1\]"),
        ("mpp", [0], "MPP is"),
        ("mpp", [np.inf], "MPP is"),
        ("mpp", [1, 2], "MPP is"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, bad: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        slide(**{**rows("5"), name: np.array(bad, np.float32)})
