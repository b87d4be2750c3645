"""Shares are areas, and fit the outlines where one takes over from the other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_layers import CLASSES, decoded, ellipse, index_of, scattered, shapes_of
from numpy.typing import NDArray
from shapely import Polygon, STRtree, box

from histoserve.client.view.layers.coverage import coverage
from histoserve.client.view.layers.density import FIRST_ZOOM, FULL, LEAST_OPACITY, Density, build_density, load_density
from histoserve.client.view.layers.drawn import DrawnLayer
from histoserve.client.view.layers.tile import TILE_PX, deepest

Layers = Callable[..., dict[str, DrawnLayer]]
SIZE = 9001, 5003
LONE = ellipse(8800, 4900, 6, 6)


def covered(outline: NDArray[np.floating], size: tuple[int, int] = (12, 9)) -> NDArray[np.float32]:
    return coverage(outline.astype(np.float64), np.array([0]), np.array([False]), size)


def lattice() -> list[NDArray[np.floating]]:
    """Ellipses of many shapes, in places that are no px', none on another, to beyond the slide's border."""
    random = np.random.default_rng(5)
    places = [(x, y) for x in range(20, 9100, 80) for y in range(20, 5100, 80)]
    return [
        ellipse(x + a, y + b, 10 + c, 10 + d)
        for (x, y), (a, b, c, d) in zip(places, random.uniform(0, 15, (len(places), 4)), strict=True)
    ]


def density_of(outlines: list[NDArray[np.floating]], folder: Path) -> Density:
    """Of one class."""
    index = index_of(outlines)
    build_density(folder, replace(index, of=np.zeros_like(index.of)), SIZE, lambda share: None)
    return load_density(folder)


@pytest.fixture
def many(layers_of: Layers) -> DrawnLayer:
    """2500 ellipses in the left half, one alone at the right lower end."""
    return layers_of(SIZE, shapes_of([*scattered(2500, (4400, 5003)), LONE]))["0"]


@given(st.floats(-4, 16), st.floats(-4, 13), st.floats(0.05, 9), st.floats(0.05, 9), st.integers(3, 30), st.booleans())
@settings(max_examples=200, deadline=None)
def test_each_pixel_has_the_share_that_geometry_says(
    x: float, y: float, across: float, down: float, points: int, turned: bool
) -> None:
    outline = ellipse(x, y, across, down, points)[:: -1 if turned else 1]
    shares = covered(outline)
    polygon = Polygon(outline)
    for row, column in ((0, 0), (4, 3), (8, 11), (2, 7)):
        exact = polygon.intersection(box(column, row, column + 1, row + 1)).area
        assert shares[row, column] == pytest.approx(exact, abs=1e-5)


def test_the_sum_of_shares_is_the_area_whatever_the_size() -> None:
    outlines = [ellipse(x, y, 0.1 * i + 0.05, 0.3 * i + 0.05, 5 + i) for i, (x, y) in enumerate([(40, 30)] * 60, 1)]
    starts = np.cumsum([0, *map(len, outlines[:-1])])
    shares = coverage(np.concatenate(outlines), starts, np.zeros(60, bool), (90, 70))
    assert shares.sum() == pytest.approx(sum(Polygon(each).area for each in outlines), rel=1e-5)


def test_a_hole_is_taken_away() -> None:
    outer, inner = ellipse(20, 20, 12, 9), ellipse(21, 19, 5, 4)
    for ring in (inner, inner[::-1]):
        shares = coverage(np.concatenate((outer, ring)), np.array([0, 24]), np.array([False, True]), (40, 40))
        assert shares.sum() == pytest.approx(Polygon(outer).area - Polygon(inner).area, rel=1e-5)


@pytest.mark.parametrize("outline", [[(3, 3)], [(3, 3), (8, 8)], [(3, 3), (8, 3), (5, 3)], [(50, 1), (60, 1), (55, 9)]])
def test_what_has_no_area_here_fills_nothing(outline: list[tuple[float, float]]) -> None:
    assert covered(np.array(outline)).sum() == pytest.approx(0, abs=1e-9)


def test_density_is_the_area_in_each_px_and_half_of_a_byte_at_most_beside_it(tmp_path: Path) -> None:
    outlines = lattice()
    ((_, content),) = density_of(outlines, tmp_path).block(FIRST_ZOOM, 0, 0)
    tree, side = STRtree([Polygon(each) for each in outlines]), 2**FIRST_ZOOM
    for row, column in np.random.default_rng(0).integers(0, 400, (200, 2)):
        px = box(column * side, row * side, (column + 1) * side, (row + 1) * side)
        exact = sum(tree.geometries[i].intersection(px).area for i in tree.query(px)) / px.area
        assert (content[row, column] >> 1) / FULL == pytest.approx(exact, abs=0.51 / FULL)


def test_filled_outlines_shrink_to_the_density_that_follows_them(layers_of: Layers) -> None:
    layer = layers_of(SIZE, shapes_of(lattice(), lambda i: 0))["0"]
    drawn = decoded(layer.tile(FIRST_ZOOM - 1, 1, 1, None, None))[..., 3]
    contours, _ = cv2.findContours((drawn > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(drawn), contours, -1, 255, cv2.FILLED)
    shrunk = cv2.resize(filled, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    density = decoded(layer.tile(FIRST_ZOOM, 0, 0, None, None))[256:, 256:, 3].astype(np.float32) / 255
    (x, y), _ = cv2.phaseCorrelate(shrunk, density)
    assert abs(x) < 0.1
    assert abs(y) < 0.1
    # A line as wide as a px lies on both sides of the border that it shows.
    assert 0 < shrunk.mean() - density.mean() < 0.05


def test_a_single_shape_is_seen_at_every_zoom(many: DrawnLayer) -> None:
    for z in range(FIRST_ZOOM, deepest(SIZE) + 1):
        column, row = int(8800 / 2**z), int(4900 / 2**z)
        tile = decoded(many.tile(z, column // TILE_PX, row // TILE_PX, None, None))
        assert tile[row % TILE_PX, column % TILE_PX, 3] >= int(255 * LEAST_OPACITY)


def test_the_sum_over_the_slide_is_the_area_at_every_zoom(tmp_path: Path) -> None:
    outlines = lattice()
    density = density_of(outlines, tmp_path)
    area = sum(Polygon(each).area for each in outlines)
    for z in range(FIRST_ZOOM, deepest(SIZE) + 1):
        blocks = [content for key in density.blocks if key[0] == z for _, content in density.block(*key)]
        shares = sum(float((content >> 1).sum()) for content in blocks) / FULL
        assert shares * 4**z == pytest.approx(area, rel=0.01)


def test_the_commonest_class_of_those_shown_gives_the_colour(layers_of: Layers) -> None:
    place = 1000, 1000
    outlines = [ellipse(*place, 60, 60), *[ellipse(*place, 20, 20)] * 2, *scattered(2500, (500, 500))]
    layer = layers_of(SIZE, shapes_of(outlines, lambda i: int(i != 0)))["0"]
    for of, number, opacity in ((None, 0, 1.0), (frozenset([1]), 1, 1.0), (frozenset([0]), 0, 1.0)):
        pixel = decoded(layer.tile(4, 0, 0, of, None))[62, 62]
        assert pixel[:3].tolist() == list(CLASSES[number].colour)
        assert pixel[3] == round(255 * opacity)
