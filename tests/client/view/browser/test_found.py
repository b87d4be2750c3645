"""What was found, one after the other; by keys alone; and a link that opens the same view."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from client.view.browser.looking import canvas, place, rest, settle
from client.view.browser.made_up import CARDS

Open = Callable[..., Any]
START = "#at=800,600,2,0&show=0/not-seen:100;0/0:60;0/1:100;0/2:100;0/3:100"


def is_centred(page: Any, number: int) -> bool:
    """On the place with this number, from 1, and so near that it fills a good part of the picture."""
    rest(page)
    x, y, scale, _ = place(page)
    left, top, width, height = CARDS[number - 1]
    near = (x, y) == pytest.approx((left + width / 2, top + height / 2), abs=0.5)
    return near and 0.2 < max(width / 948, height / 764) / scale < 0.7


def test_next_and_previous_go_round(field: Open, keep: Callable[..., None]) -> None:
    page = field(START)
    step = {name: page.get_by_role("button", name=name) for name in ("Next", "Previous")}
    step["Next"].click()
    assert is_centred(page, 1)
    step["Previous"].click()
    assert is_centred(page, 4)
    step["Next"].click()
    step["Next"].click()
    assert is_centred(page, 2)

    assert page.locator("tr[aria-current]").inner_text().startswith("2 · dysplasia 2")
    assert page.locator(".marks .frame.over").count() == 1
    keep(page, "found")


def test_on_a_narrow_page_the_picture_stays_in_sight(made_up_page: str, opened: Open) -> None:
    page = opened(f"{made_up_page}s/0/", viewport={"width": 380, "height": 740})
    settle(page)
    for _ in range(3):
        page.keyboard.press("n")
    assert page.evaluate("() => scrollY") == 0


def test_each_jump_is_said_aloud(field: Open) -> None:
    page = field(START)
    page.get_by_role("button", name="3 · dysplasia 3").click()

    live = page.locator("[aria-live=polite]")
    live.get_by_text("Place 3 of 4: 3 · dysplasia 3, 75 × 50 µm").wait_for()
    assert is_centred(page, 3)


def test_the_places_stand_in_a_table_worst_first(field: Open) -> None:
    page = field(START)
    rows = page.get_by_role("table").get_by_role("row").all_inner_texts()

    assert [row.split("\t")[0].strip() for row in rows[1:]] == [f"{n} · dysplasia {n}" for n in (1, 2, 3, 4)]
    assert "50 × 38 µm" in rows[1]
    assert "0.9" in rows[1]


def test_from_the_start_to_the_third_place_by_keys_alone(made_up_page: str, opened: Open) -> None:
    page = opened(f"{made_up_page}s/0/")
    settle(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.getAttribute('role')") == "application":
            break
    page.keyboard.press("+")
    for _ in range(3):
        page.keyboard.press("n")
    assert is_centred(page, 3)

    page.keyboard.press("ArrowRight")
    rest(page)
    moved = place(page)[0] - (CARDS[2][0] + CARDS[2][2] / 2)
    assert moved == pytest.approx(80 * place(page)[2], rel=0.02)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.getAttribute('role')") != "application"


def test_keys_hide_and_show(field: Open) -> None:
    page = field(START)
    boxes = page.locator(".head input")
    page.keyboard.press("2")
    assert [box.is_checked() for box in boxes.all()] == [True, False, True, True, True]
    page.keyboard.press("h")
    assert not any(box.is_checked() for box in boxes.all())
    page.keyboard.press("0")
    assert [box.is_checked() for box in boxes.all()] == [True, False, True, True, True]


def test_single_keys_can_be_turned_off(made_up_page: str, opened: Open, keep: Callable[..., None]) -> None:
    page = opened(f"{made_up_page}s/0/")
    settle(page)
    page.keyboard.press("?")
    keep(page, "keys")
    page.get_by_role("checkbox", name="Single letters").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("h")

    assert all(box.is_checked() for box in page.locator(".head input").all())


def test_a_link_opens_the_same_view(made_up_page: str, opened: Open) -> None:
    said = "#at=700,500,1.5,90&show=0/not-seen:100;0/0:40::0.5;0/1:80:of0;0/2:-100;0/3:100"
    first = opened(f"{made_up_page}s/0/{said}")
    before = canvas(first)
    first.get_by_role("button", name="Next").click()
    rest(first)
    link = first.url
    moved = canvas(first)
    second = opened(link)

    np.testing.assert_array_equal(canvas(second), moved)
    assert np.abs(moved.astype(int) - before).mean() > 5
    rest(second)
    assert second.url == link


@pytest.mark.parametrize(
    "said",
    ["#at=x,1,2,3", "#at=1,2,-3,0", "#at=1e9,1e9,1e9,1e9", "#at=5,5,1e-9,0", "#show=9/9:50;0/1:x:of7-x:y;;:::", "#%"],
)
def test_an_odd_link_shows_the_slide(field: Open, said: str) -> None:
    field(START)
    page = field(said)
    assert canvas(page).std() > 5
    assert page.get_by_role("button", name="Next").is_visible()


def test_the_view_is_saved_with_scale_bar_and_legend(field: Open, tmp_path: Any) -> None:
    import cv2

    page = field(START)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save picture").click()
    saved.value.save_as(tmp_path / "saved.png")
    image = cv2.imread(str(tmp_path / "saved.png"))[..., ::-1]

    drawn = canvas(page)
    assert saved.value.suggested_filename == "field.tiff.png"
    assert image.shape[1] == drawn.shape[1]
    # Of the slide itself, and below it the legend's swatches.
    np.testing.assert_allclose(image[200:400, 300:500], drawn[200:400, 300:500], atol=2)
    assert (image[drawn.shape[0] :] == (255, 240, 0)).all(axis=2).sum() > 100
