"""What goes wrong on the way is said, and never looks like nothing having been found."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client.view.browser.looking import settle

PATIENT_TOO = ["", "?for=patient"]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """One that may complain."""
    context = browser.new_context(viewport={"width": 1300, "height": 850}, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("query", PATIENT_TOO)
def test_tiles_that_do_not_come_are_told(made_up_page: str, page: Any, query: str) -> None:
    page.route("**/layer/0/1/**", lambda route: route.abort())
    page.goto(f"{made_up_page}s/0/{query}")
    page.get_by_text("Parts of the picture could not be loaded").wait_for()


def test_a_click_that_is_not_answered_is_told(made_up_page: str, page: Any) -> None:
    page.goto(f"{made_up_page}s/0/")
    settle(page)
    page.route("**/at?*", lambda route: route.abort())
    page.get_by_role("application").press("Enter")
    page.locator("[data-part=at]").get_by_text("could not be asked").wait_for()
    assert "Nothing is marked" not in page.locator("body").inner_text()


def test_a_description_that_does_not_come_is_told(made_up_page: str, page: Any) -> None:
    page.route("**/description.json", lambda route: route.fulfill(status=500, body="no"))
    page.goto(f"{made_up_page}s/0/")
    page.get_by_text("The page could not be opened.").wait_for()


def test_what_is_hidden_of_what_was_not_seen_is_told(field: Callable[..., Any]) -> None:
    told = "Parts that were not looked at are not marked now"
    assert not field("#at=800,600,2,0&show=0/not-seen:100").get_by_text(told).is_visible()
    assert field("#at=800,600,2,0&show=0/not-seen:-100").get_by_text(told).is_visible()


def test_layers_are_shown_once_they_are_ready(made_up_page: str, page: Any) -> None:
    asked: list[int] = []

    def not_yet(route: Any) -> None:
        answer = route.fetch()
        described = answer.json()
        asked.append(len(asked))
        if len(asked) < 3:
            described["results"][0] |= {"ready": False, "share": 0.4, "doing": "reading"}
        route.fulfill(response=answer, json=described)

    page.route("**/description.json", not_yet)
    page.on("request", lambda each: asked.append(-1) if "/layer/" in each.url and len(asked) < 3 else None)
    page.goto(f"{made_up_page}s/0/")
    page.get_by_text("The layers are being prepared: 40% reading").wait_for()
    settle(page)

    assert asked == [0, 1, 2]
    assert page.locator("[data-part=progress]").is_hidden()
