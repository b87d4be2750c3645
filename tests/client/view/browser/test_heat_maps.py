"""Of a result's several heat maps one is shown at a time: over each other their colours would mean nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from client.view.browser import made_up
from client.view.browser.conftest import viewing
from client.view.browser.looking import canvas, settle

from histoserve.client.results.layers import Cards, Class, Grid

Open = Callable[..., Any]
SIDE = 100


def grid(title: str, of: int, values: list[float]) -> Grid:
    return Grid(title, np.array([values], np.float32), (0, 0, SIDE, SIDE), (0, 1), "%", of=of, said="50 %")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    out, slide = tmp_path_factory.mktemp("maps"), tmp_path_factory.mktemp("slide") / "scan.png"
    made_up.write_scan(slide)
    classes = [Class("highest for one", made_up.YELLOW, 0), Class("highest for other", made_up.MINT, 0)]
    nothing = Cards("tiles", "No tile.", classes, [])
    layers = [grid("one", 0, [0.0, 0.0]), grid("other", 1, [1.0, 1.0]), nothing]
    made_up.write(out, slide, layers, None)
    with viewing(out, "--slide", slide.parent, "--cache", slide.parent) as address:
        yield address


def shown(page: Any) -> list[bool]:
    """Of both heat maps' switches, which stand below that of what was not looked at."""
    boxes = page.locator("li.layer .head input").all()
    return [box.is_checked() for box in boxes[1:3]]


def test_the_first_is_shown_and_another_takes_its_place(address: str, opened: Open) -> None:
    page = opened(f"{address}s/0/")
    settle(page)
    assert shown(page) == [True, False]
    first = canvas(page)

    page.keyboard.press("3")
    assert shown(page) == [False, True]
    other = canvas(page)
    assert np.abs(first.astype(int) - other).max() > 60

    page.keyboard.press("2")
    assert shown(page) == [True, False]
    assert np.array_equal(canvas(page), first)


def test_hidden_and_shown_again_it_is_the_same_one(address: str, opened: Open) -> None:
    page = opened(f"{address}s/0/")
    settle(page)
    page.keyboard.press("3")

    page.keyboard.press("h")
    assert shown(page) == [False, False]
    page.keyboard.press("h")
    assert shown(page) == [False, True]
