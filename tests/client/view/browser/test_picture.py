"""The picture: the slide's own pixels, the layers above them, and how they are switched."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from client.view.browser.looking import canvas, settle, share_of, where
from client.view.browser.made_up import CELL, CIRCLES, MINT, RADIUS, YELLOW
from numpy.typing import NDArray

from histoserve.phantom import write_phantom

Open = Callable[..., Any]
NOTHING = "#at=800,600,1,0&show=0/not-seen:-100;0/0:-100;0/1:-100;0/2:-100;0/3:-100"
SHAPES = NOTHING.replace("0/1:-100", "0/1:100")
GRID = NOTHING.replace("0/0:-100", "0/0:100")


def cell(page: Any, image: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """The lower right part of a square of the heat map, which bears no number."""
    x, y = where(page, (column + 0.6) * CELL, (row + 0.6) * CELL)
    return image[int(y) : int(y) + 40, int(x) : int(x) + 40]


def test_the_slide_is_drawn_as_it_is(field: Open, tmp_path: Any) -> None:
    write_phantom(tmp_path / "field.tiff", kind="he", size=(1601, 1203), mpp=0.25, seed=4, truth=None)
    slide = cv2.imread(str(tmp_path / "field.tiff"))[..., ::-1].astype(int)

    page = field(NOTHING)
    drawn = canvas(page).astype(int)

    x, y = where(page, 600, 450)
    part = drawn[round(y) : round(y) + 300, round(x) : round(x) + 400]
    # A shift by half a pixel gives 3 and more.
    assert np.abs(part - slide[450:750, 600:1000]).mean() < 1


def test_a_layer_is_switched_by_its_box(field: Open) -> None:
    page = field(SHAPES)
    before = canvas(page)
    page.get_by_role("checkbox", name="Outlines", exact=True).uncheck()

    assert share_of(before, YELLOW) > 0.001 > share_of(canvas(page), YELLOW)


def test_a_class_is_switched_alone(field: Open) -> None:
    page = field(SHAPES)
    both = canvas(page)
    page.get_by_role("list", name="Classes of Outlines").get_by_role("checkbox").first.uncheck()
    page.wait_for_timeout(200)
    one = canvas(page)

    assert share_of(both, YELLOW) > 0.001 > share_of(one, YELLOW)
    assert share_of(one, MINT) > 0.5 * share_of(both, MINT) > 0


def test_a_layer_fades_to_what_lies_below(field: Open) -> None:
    page = field(GRID)
    full = cell(page, canvas(page), 3, 3).astype(float)
    page.get_by_role("slider", name="Opacity of Dysplasia probability").fill("50")
    half = cell(page, canvas(page), 3, 3).astype(float)
    page.get_by_role("slider", name="Opacity of Dysplasia probability").fill("0")
    none = cell(page, canvas(page), 3, 3).astype(float)

    np.testing.assert_allclose(half, (full + none) / 2, atol=3)
    assert np.abs(full - none).mean() > 20


def test_below_the_threshold_the_slide_is_seen(field: Open) -> None:
    page = field(GRID)
    before = canvas(page)
    page.get_by_role("slider", name="Show Dysplasia probability from which value on").fill("50")
    page.wait_for_timeout(400)
    after = canvas(page)

    assert np.abs(cell(page, after, 1, 3) - cell(page, before, 1, 3).astype(int)).mean() > 20
    np.testing.assert_array_equal(cell(page, after, 4, 3), cell(page, before, 4, 3))
    assert "50%" in page.get_by_text("from 50%").inner_text()


def test_what_failed_is_hatched_strongly_and_what_was_not_planned_faintly(field: Open) -> None:
    bare = canvas(field(NOTHING)).astype(int)
    page = field(NOTHING.replace("not-seen:-100", "not-seen:100"))
    change = np.abs(canvas(page) - bare).mean(axis=2)

    def changed(x: float, y: float) -> float:
        left, top = map(int, where(page, x, y))
        return float(change[top : top + 90, left : left + 90].mean())

    assert changed(1250, 850) > 2 * changed(1250, 450) > 2
    assert changed(400, 400) == 0


def test_a_click_shows_what_lies_there(field: Open, keep: Callable[..., None]) -> None:
    page = field(SHAPES)
    settle(page)
    box = page.locator("[data-part=picture]").bounding_box()
    x, y = where(page, *CIRCLES[7])
    page.mouse.click(box["x"] + x, box["y"] + y)

    said = page.locator("[data-part=at]")
    said.get_by_text("severe dysplasia").wait_for()
    assert "0.873" in said.inner_text()
    assert page.locator(".marks .clicked.over").count() == 1
    drawn = page.locator(".marks .clicked.over").bounding_box()
    assert abs(drawn["width"] - 2 * RADIUS) < 4
    keep(page, "clicked")
