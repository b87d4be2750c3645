"""Where the window comes to lie."""

import numpy as np
import pytest

from histoserve.client.auto_crop import Seen, most


def seen(picture: str, side: int = 10) -> Seen:
    """A square for each digit."""
    places = [(x, y, int(c)) for y, line in enumerate(picture.split()) for x, c in enumerate(line)]
    regions = [(x * side, y * side, side, side) for x, y, _ in places]
    return Seen(np.array(regions, np.float64), np.array([value for *_, value in places]) / 9)


@pytest.mark.parametrize(
    ("picture", "window"),
    [
        ("0000 0000 0099 0099", (20, 20)),
        ("9000 0000 0000 0000", (0, 0)),
        ("0000 0900 0090 0000", (10, 10)),
        ("9009 0000 0000 9009", (0, 0)),
        ("0000 0000 0000 0000", (0, 0)),
    ],
)
def test_it_holds_most_and_of_equal_ones_is_the_first(picture: str, window: tuple[int, int]) -> None:
    assert most(seen(picture), (20, 20), (40, 40), 10) == (*window, 20, 20)


def test_it_reaches_the_far_border_and_is_none_where_nothing_was_seen() -> None:
    corner = Seen(np.array([(39.0, 39, 4, 4)]), np.array([0.9]))
    assert most(corner, (20, 20), (43, 43), 10) == (23, 23, 20, 20)
    assert most(Seen(np.empty((0, 4)), np.empty(0)), (20, 20), (40, 40), 10) is None


def test_nothing_lies_inside_and_outside() -> None:
    values = seen("0123 4567 0000 0000")
    assert values.inside((0, 0, 20, 20)).sum() == 4
    assert values.values[values.inside((20, 0, 20, 20))].sum() * 9 == pytest.approx(2 + 3 + 6 + 7)
