"""What is drawn lies where it was found: at any zoom, on tiles' borders and at the slide's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from client.view.browser.looking import canvas, place, where
from client.view.browser.made_up import CELL, CIRCLES, RADIUS
from numpy.typing import NDArray

ZOOMS = [0.5, 1, 1.7, 2.6, 3.5]
"""Level-0 px per page px: whole levels and what lies between."""
ALONE = "&show=0/not-seen:-100;0/0:-100;0/1:100;0/2:-100;0/3:-100"


def coloured(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Yellow or mint of some strength: tissue has neither."""
    red, green, blue = np.moveaxis(image.astype(int), 2, 0)
    return np.asarray((green - np.minimum(red, blue) > 60) & (green > np.maximum(red, blue) - 40))


def off(image: NDArray[np.uint8], centre: tuple[float, float], radius: float) -> list[float]:
    """By how many px the middle of the line lies off the circle, in each of eight directions."""
    rows, columns = np.nonzero(coloured(image))
    # The middle of a pixel.
    dx, dy = columns + 0.5 - centre[0], rows + 0.5 - centre[1]
    far, turn = np.hypot(dx, dy), np.arctan2(dy, dx)
    near = np.abs(far - radius) < 6
    sectors = [
        near & (np.abs(np.angle(np.exp(1j * (turn - middle)))) < np.pi / 8) for middle in np.arange(8) * np.pi / 4
    ]
    return [float(far[sector].mean() - radius) for sector in sectors]


@pytest.fixture(scope="module")
def large(made_up_page: str, opened: Callable[..., Any]) -> Callable[[str], Any]:
    """Shows the slide at 1:1 as a whole."""
    page = opened(f"{made_up_page}s/0/", viewport={"width": 2020, "height": 1400})

    def go(said: str) -> Any:
        page.evaluate("said => { location.hash = said; }", said)
        return page

    return go


@pytest.mark.parametrize("zoom", ZOOMS)
def test_outlines_lie_within_a_pixel_of_the_truth(large: Callable[..., Any], zoom: float) -> None:
    farthest: dict[tuple[int, int], float] = {}
    for x, y in [(400, 330), (1150, 330), (400, 850), (1150, 850)] if zoom < 1 else [(800, 600)]:
        page = large(f"#at={x},{y},{zoom},0{ALONE}")
        image = canvas(page)
        assert place(page)[2] == pytest.approx(zoom, rel=1e-4)
        for circle in CIRCLES:
            centre, radius = where(page, *circle), RADIUS / zoom
            if all(
                radius + 8 < at < length - radius - 8 for at, length in zip(centre, image.shape[1::-1], strict=True)
            ):
                farthest[circle] = max(map(abs, off(image, centre, radius)))

    assert set(farthest) == set(CIRCLES)
    assert max(farthest.values()) < 1
    print(f"{zoom}: {max(farthest.values()):.2f} px")


@pytest.mark.parametrize("zoom", [1, 2.6, 6.5])
def test_squares_of_a_heat_map_end_where_the_next_begin(field: Callable[..., Any], zoom: float) -> None:
    page = field(f"#at=1100,800,{zoom},0&show=0/not-seen:-100;0/0:100;0/1:-100;0/2:-100;0/3:-100")
    image = canvas(page).astype(int)
    for column in (5, 6, 7):
        x, y = where(page, column * CELL, 4.7 * CELL)
        line = image[round(y), :, 1]
        steps = np.flatnonzero(np.abs(np.diff(line)) > 0) + 1
        assert np.abs(steps - x).min() <= 1, column
