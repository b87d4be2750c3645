"""Outlines are simple polygons that give their region back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from shapely import Polygon, contains_xy

from histoserve.benchmark.watershed.bench import reference
from histoserve.ensemble.nuclei.outline import outlines


def outline(region: np.ndarray) -> np.ndarray:
    """The outline of the one region (value 1) of a map."""
    labels = np.pad(region.astype(np.int32), 1)
    first = np.flatnonzero(labels)[:1].astype(np.int32)
    vertices, ends = outlines(labels, np.ones(1, np.int32), first)
    assert ends.tolist() == [len(vertices)]
    return vertices


def drawn(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


TABLE = {
    ("#",): [(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)],
    ("##",): [(0.5, 0), (1.5, 0), (2, 0.5), (1.5, 1), (0.5, 1), (0, 0.5)],
    # (1, ½) and (1½, 1) are no corners.
    ("#.", "##"): [(0.5, 0), (2, 1.5), (1.5, 2), (0.5, 2), (0, 1.5), (0, 0.5)],
}


@pytest.mark.parametrize("rows", TABLE)
def test_outlines_that_can_be_checked_by_hand(rows: tuple[str, ...]) -> None:
    assert outline(drawn(*rows)).tolist() == [list(vertex) for vertex in TABLE[rows]]


def test_a_hole_and_a_corner_contact_are_outlined_from_outside_only() -> None:
    vertices = outline(drawn("####", "#.##", "##.#", "####"))
    assert Polygon(vertices).is_valid
    assert Polygon(vertices).area == 16 - 0.5


def test_several_outlines_follow_each_other() -> None:
    labels = np.pad(np.array([[1, 1, 2], [3, 2, 2]], np.int32), 1)
    vertices, ends = outlines(labels, np.array([1, 3], np.int32), np.array([6, 11], np.int32))
    assert ends.tolist() == [6, 10]
    assert vertices[6:].tolist() == [[0.5, 1], [1, 1.5], [0.5, 2], [0, 1.5]]


def test_no_instances_have_no_outlines() -> None:
    vertices, ends = outlines(np.zeros((4, 4), np.int32), np.empty(0, np.int32), np.empty(0, np.int32))
    assert (vertices.shape, ends.shape) == ((0, 2), (0,))


@st.composite
def regions(draw: st.DrawFn) -> np.ndarray:
    """One region that is joined across edges, with ragged borders and holes."""
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = draw(st.tuples(st.integers(1, 25), st.integers(1, 25)))
    labels, count = ndimage.label(random.random(shape) < draw(st.floats(0.4, 0.95)))
    if not count:
        return np.ones(shape, bool)
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax()


@given(regions())
@settings(max_examples=150, deadline=None)
def test_the_polygon_is_simple_and_covers_exactly_the_regions_pixel_centres(region: np.ndarray) -> None:
    filled = ndimage.binary_fill_holes(region, np.ones((3, 3)))
    vertices = outline(region)
    polygon = Polygon(vertices)
    y, x = np.mgrid[: region.shape[0], : region.shape[1]] + 0.5
    assert polygon.is_valid
    assert polygon.area == filled.sum() - 0.5
    np.testing.assert_array_equal(contains_xy(polygon, x, y), filled)


@given(regions())
@settings(max_examples=150, deadline=None)
def test_the_outline_is_the_contour_that_scikit_image_finds(region: np.ndarray) -> None:
    np.testing.assert_array_equal(outline(region), reference.outline(region))
