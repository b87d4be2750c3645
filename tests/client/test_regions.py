"""Into which squares a picture is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoserve.client.errors import SlideError
from histoserve.client.regions import LEAST_PX, region_side


@pytest.mark.parametrize(
    ("size", "count", "side"),
    [
        ((1000, 500), None, 224),
        ((100, 60), None, 60),
        ((1000, 500), 2, 500),
        ((1000, 500), 8, 250),
        ((1000, 500), 1, None),
        ((999, 500), 1, 500),
        ((512, 512), 16, 128),
        ((512, 512), 5, None),
        ((8, 8), 1, 8),
        ((7, 900), None, None),
        ((1, 1), 1, None),
        ((300, 20), 10**9, None),
    ],
)
def test_sides(size: tuple[int, int], count: int | None, side: int | None) -> None:
    if side is None:
        with pytest.raises(SlideError, match=r"a\.png.*(cut into|at least 8×8)"):
            region_side("a.png", size, 224, count)
    else:
        assert region_side("a.png", size, 224, count) == side


def test_a_count_that_does_not_fit_is_told_with_those_that_do() -> None:
    with pytest.raises(SlideError, match=r"a.png, 512×512 px, cannot be cut into 5 equal squares: give .* 4 or 9"):
        region_side("a.png", (512, 512), 224, 5)


@given(st.tuples(st.integers(8, 4000), st.integers(8, 4000)), st.integers(LEAST_PX, 4000))
def test_every_count_that_some_side_has_is_found_with_the_longest(size: tuple[int, int], side: int) -> None:
    side = min(side, *size)
    count = (size[0] // side) * (size[1] // side)
    found = region_side("a.png", size, 224, count)
    assert found >= side
    assert (size[0] // found) * (size[1] // found) == count
    assert (size[0] // (found + 1)) * (size[1] // (found + 1)) < count
