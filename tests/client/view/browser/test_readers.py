"""For whom the page is: a patient reads plain words, everybody can reach everything, in both languages and any room."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from client.view.browser.looking import canvas, settle

Open = Callable[..., Any]
SHARE = re.compile(r"(?<![\d.,])[01][.,]\d+|\d+\s?%(?!\S)")
"""A probability or a score, as a number between 0 and 1 or per cent."""
DIAGNOSIS = re.compile(r"dysplasia|benign|invasion|severe|probab|score", re.IGNORECASE)
STATES = ["", "?lang=zh", "?for=patient", "?for=patient&lang=zh"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = "tags => axe.run(document, { runOnly: tags }).then(({ violations }) => violations.map(told))"
TOLD = "window.told = ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary)}`; 0"


@pytest.fixture(scope="module")
def reading(made_up_page: str, opened: Open) -> Open:
    """`reading(query)` → the page for this reader, opened once, on its first place, with a click."""
    pages = {}

    def page_for(query: str) -> Any:
        if query not in pages:
            pages[query] = page = opened(f"{made_up_page}s/0/{query}#at=800,600,2,0&show=0/0:100")
            settle(page)
            page.keyboard.press("n")
            for summary in page.locator("summary").all():
                summary.click()
            box = page.locator("[data-part=picture]").bounding_box()
            page.mouse.click(box["x"] + 420, box["y"] + 330)
            page.locator("[data-part=at] li").first.wait_for()
        return pages[query]

    return page_for


def all_words(page: Any) -> str:
    """What can be read, or heard, but for how strong a layer is shown and the version."""
    said = page.evaluate(
        """() => [document.title, document.body.innerText, ...[...document.querySelectorAll("[aria-label], [title]")]
        .flatMap((each) => [each.getAttribute("aria-label"), each.title])].join("\\n")"""
    )
    return re.sub(r"histoserve \d+\.\d+\.\d+|100%", "", said)


@pytest.mark.parametrize("query", ["?for=patient", "?for=patient&lang=zh"])
def test_a_patient_reads_no_diagnosis_and_no_probability(reading: Open, query: str) -> None:
    words = all_words(reading(query))
    assert not SHARE.search(words), SHARE.search(words)
    assert not DIAGNOSIS.search(words), DIAGNOSIS.search(words)


def test_a_patient_reads_none_beside_each_other_either(made_up_page: str, opened: Open) -> None:
    page = opened(f"{made_up_page}beside/0/1/?for=patient")
    settle(page)
    for summary in page.locator("summary").all():
        summary.click()
    words = all_words(page).replace("60%", "")
    assert not SHARE.search(words), SHARE.search(words)
    assert not DIAGNOSIS.search(words), DIAGNOSIS.search(words)


def test_a_patient_sees_no_values_in_the_picture(made_up_page: str, opened: Open, keep: Callable[..., None]) -> None:
    page = opened(
        f"{made_up_page}s/0/?for=patient#at=700,500,0.5,0&show=0/0:100;0/not-seen:-100;0/1:-100;0/2:-100;0/3:-100"
    )
    image = canvas(page)
    keep(page, "patient-heat-map")
    # Letters are black and white, which the scale from violet to yellow does not have.
    image = image[:-2, :-2]
    assert image.max(axis=2).min() > 60
    assert image.min(axis=2).max() < 160


def test_a_doctor_reads_them(reading: Open) -> None:
    words = all_words(reading(""))
    assert SHARE.search(words)
    assert {each.lower() for each in DIAGNOSIS.findall(words)} >= {"dysplasia", "benign", "invasion", "score"}


@pytest.mark.parametrize("query", STATES)
def test_network_version_date_and_what_it_is_not(reading: Open, query: str) -> None:
    page = reading(query)
    footer = page.locator("footer").inner_text()
    assert all(each in footer for each in ("7", "0.1.0", "2026"))
    assert re.search("Not a medical device|不是医疗器械", footer)
    assert page.evaluate("() => document.documentElement.lang") == ("zh" if "zh" in query else "en")


def test_a_chinese_page_has_no_english_but_names(reading: Open) -> None:
    words = re.sub(
        r"histoserve|field|tiff|English|Enter|Home|made_up|http\S*", "", all_words(reading("?for=patient&lang=zh"))
    )
    assert not re.search(r"[A-Za-z]{3,}", words), re.search(r".{20}[A-Za-z]{3,}.{20}", words)


@pytest.mark.parametrize("query", STATES)
def test_axe_finds_nothing(reading: Open, axe: str, keep: Any, query: str) -> None:
    page = reading(query)
    page.evaluate(axe + TOLD)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(100)
        keep(page, f"{scheme}{re.sub(r'[?&=]', '-', query)}")
        assert page.evaluate(AXE, WCAG) == []
    page.emulate_media(color_scheme="light")

    page.keyboard.press("?")
    assert page.evaluate(AXE, WCAG) == []
    page.keyboard.press("Escape")


@pytest.mark.parametrize("address", ["", "?lang=zh&for=patient", "beside/0/1/?lang=zh", "s/2/"])
def test_axe_finds_nothing_elsewhere(made_up_page: str, opened: Open, axe: str, keep: Any, address: str) -> None:
    page = opened(f"{made_up_page}{address}")
    if "/" in address:
        settle(page)
    page.evaluate(axe + TOLD)
    keep(page, f"at-{re.sub(r'[^a-z0-9]+', '-', address)}")
    assert page.evaluate(AXE, WCAG) == []


def test_380_px_are_enough(made_up_page: str, opened: Open, keep: Callable[..., None]) -> None:
    page = opened(f"{made_up_page}s/0/", viewport={"width": 380, "height": 740})
    settle(page)
    keep(page, "narrow", full=True)

    wide = page.evaluate("() => document.documentElement.scrollWidth")
    picture, panel = (page.locator(each).bounding_box() for each in (".view", ".panel"))
    assert wide == 380
    assert panel["y"] >= picture["y"] + picture["height"]
    assert picture["height"] > 350


def test_twice_as_large_letters_need_no_second_scroll_bar(made_up_page: str, opened: Open) -> None:
    # What 200 % leaves of a screen of 1280 × 1024.
    page = opened(f"{made_up_page}s/0/", viewport={"width": 640, "height": 512}, device_scale_factor=2)
    settle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 640


def test_nothing_moves_where_the_system_asks_for_rest(made_up_page: str, opened: Open) -> None:
    page = opened(f"{made_up_page}s/0/")
    settle(page)
    seen = page.evaluate("""() => new Promise((done) => {
      const viewer = OpenSeadragon.getViewer(document.querySelector("[data-part=picture]")), seen = [];
      viewer.addHandler("update-viewport", () => seen.push(viewer.viewport.getZoom(true)));
      document.querySelector("[data-tool=in]").click();
      setTimeout(() => done(new Set(seen).size), 400);
    })""")
    assert seen == 1


def test_colours_forced_by_the_system_keep_all_switches(made_up_page: str, opened: Open, keep: Any) -> None:
    page = opened(f"{made_up_page}s/0/", forced_colors="active")
    settle(page)
    keep(page, "forced-colours")
    swatch = page.locator(".legend .swatch[data-kind=shapes]").first
    assert swatch.evaluate("(each) => getComputedStyle(each).backgroundColor") == "rgb(255, 240, 0)"
