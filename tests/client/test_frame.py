"""From a prepared picture back to its original, and what was looked at there."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoserve.client.covered import covered
from histoserve.client.errors import SlideError
from histoserve.client.formats.plain import PlainImage
from histoserve.client.frame import Frame
from histoserve.client.placed import placed
from histoserve.client.preparation import Preparation
from histoserve.client.prepared import prepared
from histoserve.client.results.layers import Arrows, Card, Cards, Class, Grid, Shape, Shapes
from histoserve.client.results.upright import upright

SIZE = (97, 61)


def picture(tmp_path) -> PlainImage:  # type: ignore[no-untyped-def]
    """Grey but for a red spot about (70, 20)."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    cv2.circle(pixels, (69, 19), 4, (255, 0, 0), cv2.FILLED)
    return PlainImage(tmp_path / "spot.png", pixels)


def spot(pixels: np.ndarray) -> np.ndarray:
    """Its middle, x and y."""
    red = np.argwhere(pixels[..., 0].astype(int) - pixels[..., 1] > 80)[:, ::-1] + 0.5
    return red.mean(axis=0)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135.5, 180, 270, 359])
@pytest.mark.parametrize("enlarge", [1, 1.7, 3])
@pytest.mark.parametrize("crop", [None, (40, 3, 50, 41)])
def test_a_spot_is_found_where_it_was(tmp_path, degrees: float, enlarge: float, crop) -> None:  # type: ignore[no-untyped-def]
    slide = picture(tmp_path)
    made = prepared(slide, Preparation(crop=crop, enlarge=enlarge, degrees=degrees))

    seen = made.slide.read((0, 0, *made.slide.l0_size), 0)
    place = made.frame.points(spot(seen)[None])[0]
    np.testing.assert_allclose(place, spot(slide.read((0, 0, *SIZE), 0)), atol=0.25)


def test_it_is_turned_counter_clockwise(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """What was right of the middle is above it after a quarter turn."""
    made = prepared(picture(tmp_path), Preparation(degrees=90))
    assert made.slide.l0_size == SIZE[::-1]
    assert spot(made.slide.read((0, 0, *made.slide.l0_size), 0))[1] < SIZE[0] / 2
    np.testing.assert_allclose(made.frame.directions(np.array([(0, -1)])), [(1, 0)])


@given(
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(1, 16),
    st.floats(0, 360),
    st.tuples(*[st.integers(0, 99)] * 2),
)
def test_a_region_stays_a_square_of_its_size(x: float, y: float, scale: float, degrees: float, place) -> None:  # type: ignore[no-untyped-def]
    outline = Frame((x, y), scale, degrees).outline((*place, 8, 8)).astype(float)
    sides = np.hypot(*(np.roll(outline, -1, 0) - outline).T)
    np.testing.assert_allclose(sides, 8 / scale, atol=2e-3)


@pytest.mark.parametrize(
    ("crop", "told"),
    [((90, 0, 8, 8), "97×61 px, and the part 90,0,8,8 of --crop"), ((0, 0, 97, 62), "reaches beyond it")],
)
def test_a_part_that_is_none_is_told(tmp_path, crop, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SlideError, match=told):
        prepared(picture(tmp_path), Preparation(crop=crop))


def test_too_large_a_picture_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    slide = PlainImage(tmp_path / "long.png", np.zeros((4, 30_000, 3), np.uint8))
    with pytest.raises(SlideError, match="has 60000×8 px, more than can be held in memory"):
        prepared(slide, Preparation(enlarge=2))


def test_turned_corners_are_no_regions_and_have_the_borders_colour(tmp_path) -> None:  # type: ignore[no-untyped-def]
    made = prepared(picture(tmp_path), Preparation(degrees=45))
    width, height = made.slide.l0_size

    assert (made.slide.read((0, 0, 3, 3), 0) == 90).all()
    assert not made.shows((0, 0, 8, 8))
    assert made.shows((width // 2 - 4, height // 2 - 4, 8, 8))


@pytest.mark.parametrize("degrees", [0, 90, 30])
def test_what_was_covered_has_the_area_of_the_regions(degrees: float) -> None:
    frame, regions = Frame((100, 50), 2, degrees), [(0, 0, 64, 64), (64, 0, 64, 64)]
    strips = covered(frame, regions)
    assert sum(width * height for _, _, width, height in strips) == pytest.approx(2 * 32 * 32, rel=0.05)
    assert covered(frame, []) == []


def test_layers_are_placed_and_a_turned_grid_shows_the_same_upright() -> None:
    frame = Frame((100, 50), 2, 90)
    grid = placed(Grid("value", np.array([[0, 1]], np.float32), (0, 0, 20, 20), (0, 1)), frame)
    assert isinstance(grid, Grid)
    # The second region lies below the first, whose corner is its right upper one now.
    np.testing.assert_allclose(grid.l0_outline(0, 1).mean(axis=0), (95, 65))
    shown = upright(grid)
    assert (shown.values.shape, shown.turned) == ((32, 16), 0)
    assert (shown.values[:16] == 0).all()
    assert (shown.values[16:] == 1).all()
    assert shown.l0_first[:2] == pytest.approx((90, 50))

    arrows = placed(Arrows("a", np.float32([(0, 0)]), np.float32([(2, 0)]), (0, 0, 0)), frame)
    assert isinstance(arrows, Arrows)
    np.testing.assert_allclose(arrows.l0_heads, [(100, 51)])
    shape = Shape(np.float32([(0, 0), (4, 0), (4, 2)]), 0, {})
    shapes = placed(Shapes((Class("c", (0, 0, 0), 1),), lambda: iter([shape])), frame)
    assert isinstance(shapes, Shapes)
    np.testing.assert_allclose(next(shapes.each()).l0_outline, [(100, 50), (100, 52), (99, 52)])
    holed = shape._replace(l0_holes=(shape.l0_outline,), l0_further=((shape.l0_outline,),))
    moved = placed(Shapes((Class("c", (0, 0, 0), 1),), lambda: iter([holed])), frame)
    assert isinstance(moved, Shapes)
    assert [ring.tolist()[1] for ring in next(moved.each()).l0_rings] == [[100, 52]] * 3
    card = Card(np.float32([0, 0, 4, 2]), 1, 0, "c", {}, [shape])
    cards = placed(Cards("c", "", (), [card]), frame)
    assert isinstance(cards, Cards)
    assert cards.each[0].l0_region.tolist() == [99, 50, 1, 2]
