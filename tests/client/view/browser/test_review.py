"""Pairs are accepted and dropped by key, in a real browser: what is pressed is in the file, and what is not says so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from client.view.browser.conftest import viewing
from client.view.browser.test_readers import AXE, TOLD, WCAG
from made_up_labels import add_pair

from histoserve.client.labels.read import TABLE, read_labels

Open = Callable[..., Any]
HERE = "() => document.querySelector('[data-part=number]').textContent"
SHOWN = "() => [...document.querySelectorAll('.sheet img')].every((each) => each.complete && each.naturalWidth > 0)"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Six tiles; the third has no reading, the fifth was dropped beforehand."""
    add_pair(tmp_path, readings=[0.25, 0.75, None, 1 / 3, 0.9, 0.1], off=[5], tile_px=256)
    return tmp_path


@pytest.fixture
def page(labelled: Path, opened: Open) -> Iterator[Any]:
    with viewing(labelled) as address:
        page = opened(address)
        page.wait_for_selector("body[data-state=ready]")
        yield page


def decisions(folder: Path) -> list[str]:
    return [label.decision.value for label in read_labels(folder)]


def press(page: Any, keys: str, then: str) -> None:
    """Each key once what the one before it asked for is shown: `then` names the tiles."""
    for key, tile in zip(keys, then.split(), strict=True):
        page.keyboard.press(key)
        page.get_by_role("heading", name=f"tile {tile} ").wait_for()


def test_keys_decide_and_lead_to_what_is_undecided(page: Any, labelled: Path, keep: Any) -> None:
    page.wait_for_function(SHOWN)
    keep(page, "review")
    press(page, "adnadd", "2 3 4 6 3 3")
    page.get_by_text("All pairs are decided").wait_for()

    assert decisions(labelled) == ["accept", "drop", "drop", "accept", "drop", "drop"]
    page.keyboard.press("u")
    page.get_by_text("5 of 6 decided: 2 accepted, 3 dropped").wait_for()
    assert decisions(labelled)[2] == ""


def test_what_was_decided_is_there_after_a_new_start(page: Any, labelled: Path, opened: Open) -> None:
    press(page, "ad", "2 3")

    with viewing(labelled) as address:
        later = opened(address)
        later.wait_for_selector("body[data-state=ready]")
        assert "tile 3 " in later.evaluate(HERE)


def test_what_cannot_be_accepted_has_no_button_for_it(page: Any, labelled: Path) -> None:
    before = (labelled / TABLE).read_bytes()
    press(page, "nn", "2 3")
    accept, drop = (page.locator(f"[data-decide={each}]") for each in ("accept", "drop"))
    assert (accept.is_disabled(), drop.is_disabled()) == (True, False)
    page.keyboard.press("a")
    page.get_by_text("Without a reading it cannot be accepted").wait_for()

    press(page, "nn", "4 5")
    assert page.get_by_text("Dropped beforehand: The pictures are 40.0 µm off.").is_visible()
    assert (accept.is_disabled(), drop.is_disabled()) == (True, True)
    press(page, "un", "5 6")
    assert (labelled / TABLE).read_bytes() == before


def test_of_two_windows_the_later_is_told(page: Any, labelled: Path, opened: Open, went_wrong: list[str]) -> None:
    other = opened(page.url)
    other.wait_for_selector("body[data-state=ready]")
    press(page, "d", "2")

    other.keyboard.press("a")

    other.get_by_text("Nothing was written: this pair was decided meanwhile").wait_for()
    assert other.locator("[data-part=decision]").inner_text() == "dropped"
    assert decisions(labelled)[0] == "drop"
    assert [each for each in went_wrong if "409" not in each] == []
    went_wrong.clear()


def test_a_file_that_somebody_broke_is_told_with_its_line(page: Any, labelled: Path, went_wrong: list[str]) -> None:
    broken = (labelled / TABLE).read_text().replace("3.2,,", "3.2,acept,", 1)
    (labelled / TABLE).write_text(broken)

    page.keyboard.press("a")

    page.get_by_text("line 2 has the decision 'acept'").wait_for()
    assert "tile 1 " in page.evaluate(HERE)
    assert (labelled / TABLE).read_text() == broken
    went_wrong.clear()


def test_both_pictures_are_square_and_move_together(page: Any) -> None:
    page.wait_for_function(SHOWN)
    for viewport in ((1300, 850), (1300, 500), (700, 900)):
        page.set_viewport_size(dict(zip(("width", "height"), viewport, strict=True)))
        he, ihc = (page.locator(".sheet").nth(place).bounding_box() for place in (0, 1))
        assert abs(he["width"] - he["height"]) < 1
        assert (he["y"], he["width"]) == (ihc["y"], ihc["width"])

    page.mouse.move(he["x"] + he["width"] / 4, he["y"] + he["height"] / 2)
    cross = page.locator(".pointed .cross").bounding_box()
    assert abs(cross["x"] + cross["width"] / 2 - (ihc["x"] + ihc["width"] / 4)) < 2
    page.keyboard.press("z")
    boxes = page.locator(".box")
    boxes.first.evaluate("(box) => box.scrollTo(0, 10)")
    page.wait_for_function(
        "() => new Set([...document.querySelectorAll('.box')].map((box) => box.scrollTop)).size === 1"
    )


def test_axe_finds_nothing_on_the_page_of_pairs(page: Any, axe: str, keep: Any) -> None:
    for language in ("en", "zh"):
        page.goto(page.url.partition("#")[0].partition("?")[0] + f"?lang={language}#at=1,5")
        page.wait_for_selector("body[data-state=ready]")
        page.evaluate(axe + TOLD)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(100)
            keep(page, f"review-{language}-{scheme}")
            assert page.evaluate(AXE, WCAG) == []
        page.keyboard.press("?")
        assert page.evaluate(AXE, WCAG) == []
        page.keyboard.press("Escape")
