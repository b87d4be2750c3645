"""Squares become polygons that anybody can read, with exactly their area, however they touch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.ops import unary_union

from histoserve.client.results.outline import parts_of


def squares(picture: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in picture.split()])


def polygons(mask: np.ndarray) -> list[Polygon]:
    return [Polygon(outline, holes) for outline, *holes in parts_of(mask)]


def test_a_square_is_its_four_corners_clockwise() -> None:
    [[outline]] = parts_of(squares("... .#."))

    assert outline.tolist() == [[1, 1], [2, 1], [2, 2], [1, 2]]


@pytest.mark.parametrize(
    ("picture", "holes", "corners"),
    [
        ("##", [0], [4]),
        ("#. ##", [0], [6]),
        ("#. .#", [0, 0], [4, 4]),
        ("### #.# ###", [1], [4]),
        ("### #.# ##.", [1], [6]),
        ("##. #.# .##", [0, 0], [6, 6]),
        (".#. #.# .#.", [0, 0, 0, 0], [4, 4, 4, 4]),
        ("#### #.## ##.# ####", [2], [4]),
        ("##### #...# #.#.# #...# #####", [1, 0], [4, 4]),
    ],
)
def test_parts_and_holes_are_those_that_one_sees(picture: str, holes: list[int], corners: list[int]) -> None:
    parts = parts_of(squares(picture))

    assert [len(part) - 1 for part in parts] == holes
    assert [len(part[0]) for part in parts] == corners


def test_nothing_has_no_border() -> None:
    assert parts_of(np.zeros((3, 4), bool)) == []


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.floats(0.2, 0.9))
def test_together_they_are_valid_and_cover_the_squares(seed: int, rows: int, columns: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    found = MultiPolygon(polygons(mask))

    assert found.is_valid
    assert all(part.exterior.is_simple for part in found.geoms)
    wanted = unary_union([box(column, row, column + 1, row + 1) for row, column in np.argwhere(mask)])
    assert found.symmetric_difference(wanted).area == 0
