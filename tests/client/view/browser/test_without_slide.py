"""A slide that is not there, of unknown µm/px: its overview is shown, and what is not known is said."""

from collections.abc import Callable
from typing import Any

import pytest
from client.view.browser.looking import canvas, settle


@pytest.fixture(scope="module")
def scan(made_up_page: str, opened: Callable[..., Any]) -> Any:
    page = opened(f"{made_up_page}s/2/")
    settle(page)
    return page


def test_the_overview_is_enlarged_instead(scan: Any, keep: Callable[..., None]) -> None:
    scan.evaluate("() => { location.hash = '#at=350,250,0.5,0&show=0/0:-100;0/not-seen:-100'; }")
    drawn = canvas(scan)
    keep(scan, "without-slide")
    # The picture's ramp from dark to light.
    row = drawn[380, 100:-100, 0].astype(int)
    assert row[-1] - row[0] > 60


def test_it_is_said(scan: Any) -> None:
    assert scan.get_by_text("The slide was not found in the folder given").is_visible()


def test_there_is_no_scale_bar_and_the_reason_stands_there(scan: Any) -> None:
    assert scan.get_by_text("No scale bar: the slide's µm per pixel is not known.").is_visible()
    assert not scan.locator(".scale .line").is_visible()
    assert scan.locator("[data-part=zoom]").inner_text() == ""
