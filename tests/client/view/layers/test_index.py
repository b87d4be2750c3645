"""The index finds every shape that a square touches, and no other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_layers import ellipse, index_of

from histoserve.client.view.layers.read import FARTHEST_PX

PLACE = st.one_of(
    st.floats(-2000, 200_000, width=32),
    st.sampled_from([-FARTHEST_PX, FARTHEST_PX, 0.0, 32.0, 512.0, 4096.0]),
)
BOX = st.tuples(PLACE, PLACE, PLACE, PLACE)


@given(st.lists(BOX, max_size=30), BOX)
@settings(max_examples=200, deadline=None)
def test_every_box_that_a_square_touches_is_found(boxes: list[tuple[float, ...]], square: tuple[float, ...]) -> None:
    corners = [np.array(box, np.float32).reshape(2, 2) for box in boxes]
    left, right = sorted(square[::2])
    top, bottom = sorted(square[1::2])
    index = index_of([*corners])
    found = index.of[index.within((left, top, right, bottom))]
    low, high = (np.array([f(each, axis=0) for each in corners]).reshape(-1, 2) for f in (np.min, np.max))
    touched = ((low <= (right, bottom)) & (high >= (left, top))).all(axis=1)
    assert sorted(found.tolist()) == np.flatnonzero(touched).tolist()


def test_outlines_come_back_as_they_went_in() -> None:
    outlines = [ellipse(x, x / 2, 5 + x % 7, 8, 5 + x % 9) for x in range(0, 100_000, 333)]
    index = index_of([*outlines])
    rings = index.within((10_000, 5_000, 20_000, 10_000))
    points, starts = index.outlines(rings)
    assert len(rings) > 25
    for ring, outline in zip(rings, np.split(points, starts[1:]), strict=True):
        np.testing.assert_array_equal(outline, outlines[index.of[ring]].astype(np.float32))


def test_places_are_exact_to_a_hundredth_of_a_px_on_the_largest_slides() -> None:
    outline = ellipse(131_000.123, 99_999.987, 9, 12)
    points, _ = index_of([outline]).outlines(np.array([0]))
    assert np.abs(points - outline).max() < 0.01


def test_one_huge_region_does_not_widen_the_search_for_small_ones() -> None:
    small = [ellipse(x, y, 8, 8) for x in range(0, 20_000, 200) for y in range(0, 20_000, 200)]
    index = index_of([ellipse(10_000, 10_000, 10_000, 10_000), *small])
    assert len(np.unique(index.key >> 46)) == 2
    assert len(index.within((5000, 5000, 5100, 5100))) == 2
