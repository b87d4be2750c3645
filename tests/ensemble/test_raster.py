"""Regions become squares of a raster, whatever their order."""

import numpy as np
import pytest

from histoserve.ensemble.raster import parts_of, raster_of


def regions(*places: tuple[float, float], side: float = 100) -> np.ndarray:
    return np.array([(x, y, side, side) for x, y in places], np.float32).reshape(-1, 4)


def test_rows_lie_where_their_regions_do() -> None:
    raster = raster_of(regions((300, 50), (100, 50), (200, 250)))

    assert (raster.row.tolist(), raster.column.tolist(), raster.shape) == ([0, 0, 2], [2, 0, 1], (3, 3))
    assert raster.l0_first.tolist() == [100, 50, 100, 100]


def test_places_rounded_to_whole_pixels_still_lie_on_the_raster() -> None:
    assert raster_of(regions((0, 0), (99, 0), (201, 0))).column.tolist() == [0, 1, 2]


def test_a_far_raster_of_fractional_sides_does_not_drift() -> None:
    places = [(round(i * 1170.4), 0) for i in range(400)]

    assert raster_of(regions(*places, side=1170.4)).column.tolist() == list(range(400))


def test_no_region_makes_an_empty_raster() -> None:
    assert raster_of(regions()).shape == (0, 0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (regions((0, 0), (50, 0)), "it overlaps others"),
        (np.array([(0, 0, 10, 10), (10, 0, 10, 10), (20, 0, 5, 10)], np.float32), "TILE_REGION 2 is .* of one size"),
        (np.array([(0, 0, np.nan, 10)], np.float32), "wanted finite"),
        (regions((0, 0), (1e8, 1e8), side=1), "at most 16777216"),
    ],
)
def test_what_lies_on_no_raster_is_refused(bad: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        raster_of(bad)


def test_a_region_that_came_twice_must_say_the_same() -> None:
    raster = raster_of(regions((0, 0), (0, 0), (100, 0)))

    assert raster.filled(np.array([1, 1, 2], np.float32), np.nan).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="contradicts another"):
        raster.filled(np.array([1, 3, 2], np.float32), np.nan)


def test_squares_that_touch_at_a_corner_are_one_part() -> None:
    squares = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], bool)

    assert parts_of(squares).tolist() == [[0, -1, -1, 1], [-1, 0, -1, -1], [-1, -1, -1, 2]]
