"""What the page of a training set shows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from client.view.test_pages import Links

from histoserve.client.labels.read import TABLE

Review = Callable[..., Any]
Command = Callable[..., tuple[int, str]]


def test_tiles_are_told_with_all_that_helps_to_decide(review: Review, labelled: Path) -> None:
    tiles = review(labelled).client.get("/tiles.json").json()["tiles"]

    assert len(tiles) == 6
    assert tiles[0] == {
        "pair": 1, "tile": 1, "marker": "ki67", "he": "case 7.svs", "ihc": "case 7 Ki67.svs", "positive": 3,
        "negative": 9, "reading": 0.25, "residual_um": 3.2, "side_um": 32 * 0.3, "decision": "", "reason": "",
    }  # fmt: skip
    assert tiles[2]["reading"] is None
    assert tiles[5]["reason"] == "The pictures are 40.0 µm off."


def test_pictures_are_those_of_the_folder(review: Review, labelled: Path) -> None:
    client = review(labelled).client

    for stain in ("he", "ihc"):
        answer = client.get(f"/t/1/2/{stain}.png")
        assert answer.content == (labelled / "pairs" / "0001" / f"0002_{stain}.png").read_bytes()
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize("address", ["/t/1/9/he.png", "/t/3/1/he.png", "/t/1/1/.png", "/t/1/1/her2.png",
                                     "/t/1/1/../pair.png", "/t/1/1/he.jpg", "/pairs/0001/0001_he.png", "/labels.csv",
                                     "/s/0/", "/t/1/1/he", "/t/01/1/he.png"])  # fmt: skip
def test_nothing_else_of_the_folder_is_there(review: Review, labelled: Path, address: str) -> None:
    assert review(labelled).client.get(address).status_code == 404


def test_a_picture_that_cannot_be_read_is_told(review: Review, labelled: Path) -> None:
    page = review(labelled)
    (labelled / "pairs" / "0001" / "0002_he.png").unlink()

    assert page.client.get("/t/1/2/he.png").status_code == 404
    assert page.told == ["0002_he.png of pair 1 cannot be read: No such file or directory."]


def test_names_of_slides_are_nowhere_if_so_asked(review: Review, labelled: Path) -> None:
    client = review(labelled, anonymous=True).client

    for address in ("/", "/tiles.json"):
        assert "case 7" not in client.get(address).text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_that_the_page_links_to_is_there(review: Review, labelled: Path, language: str) -> None:
    client = review(labelled).client

    answer = client.get(f"/?lang={language}")
    page = Links(answer.text)

    assert (answer.status_code, page.forbidden) == (200, [])
    assert f'lang="{language}"' in answer.text
    assert "review.js" in " ".join(page.links)
    assert all(client.get(f"/{link}").status_code == 200 for link in page.links if not link.startswith("?"))


WRONG: dict[str, list[object]] = {
    "--slide is for results; a training set holds its own pictures": ["--slide", "x.svs"],
    "--registration is for results": ["--registration", "x.json"],
    "--for patient: a training set is for the eyes of a doctor": ["--for", "patient"],
    "A training set is looked at alone": ["{folder}"],
}


@pytest.mark.parametrize("words", WRONG)
def test_what_a_training_set_has_no_use_for_is_refused(histoserve: Command, labelled: Path, words: str) -> None:
    code, told = histoserve("view", labelled, *(str(each).format(folder=labelled) for each in WRONG[words]))

    assert code == 2
    assert words in told


def test_a_damaged_set_is_told_before_anything_is_served(histoserve: Command, labelled: Path) -> None:
    (labelled / TABLE).write_text("pair,tile,decision\n1,1,maybe\n")

    code, told = histoserve("view", labelled)

    assert code == 1
    assert "labels.csv, line 2 has the decision 'maybe'; write accept or drop" in told


def test_a_set_without_a_whole_pair_is_told(histoserve: Command, tmp_path: Path) -> None:
    (tmp_path / "pairs" / "0001").mkdir(parents=True)

    code, told = histoserve("view", tmp_path)

    assert code == 1
    assert "labels.csv cannot be read: No such file or directory" in told
