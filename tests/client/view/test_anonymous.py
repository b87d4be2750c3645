"""Slides without names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.view.anonymous import HIDDEN
from histoserve.client.view.files import PAGE

NAME = "Erika Mustermann.png"
ADDRESSES = ("/s/0/", "/s/0/description.json", "/", "/s/1/description.json", "/beside/0/1/",
             "/beside/0/1/description.json", "/s/0/at?x=1&y=1&r=0", "/files/page.js")  # fmt: skip


@pytest.fixture
def named(slide_path: Path, tmp_path: Path, write: Callable[..., Path]) -> Path:
    """OUT of two slides that bear a name everywhere a result can hold one."""
    for number, name in enumerate((NAME, NAME.replace("Erika", "Max"))):
        slide = Path(shutil.copy(slide_path, tmp_path / name))
        slide.write_bytes(slide.read_bytes() + bytes(number))
        said = write(tmp_path / "out", slide) / "result.json"
        content = json.loads(said.read_text())
        content["slide"]["warnings"] = [f"{name} is odd, and so is {slide.stem.upper()}."]
        content["result"]["said"] = f"of {slide.stem}"
        said.write_text(json.dumps(content))
    (tmp_path / "out" / "Erika Mustermann" / ".unfinished-suns-1").mkdir()
    return tmp_path / "out"


@pytest.mark.parametrize("given", ["nothing", "file", "folder", "another"])
def test_the_name_is_in_no_answer(show: Any, named: Path, given: str) -> None:
    slides = {"nothing": None, "file": named.parent / NAME, "folder": named.parent, "another": named.parent / NAME}
    client = show(named, slide=slides[given], anonymous=True, page=PAGE)
    if given == "another":
        (named.parent / NAME).unlink()

    for address in ADDRESSES:
        answer = client.get(address)
        told = f"{answer.text} {answer.headers}".lower()
        assert "mustermann" not in told
        assert "erika" not in told


def test_sentences_keep_the_rest(show: Any, named: Path) -> None:
    (result,) = show(named, anonymous=True).get("/s/0/description.json").json()["results"]

    assert result["warnings"] == [f"{HIDDEN} is odd, and so is {HIDDEN}."]


def test_a_slide_called_like_a_word_of_programs_is_still_shown(
    show: Any, slide_path: Path, tmp_path: Path, write: Any
) -> None:
    grid = slide_path.rename(tmp_path / "grid.png")
    said = show(write(tmp_path / "out", grid), anonymous=True).get("/s/0/description.json").json()

    assert [each["kind"] for each in said["results"][0]["layers"]][:2] == ["shapes", "grid"]
