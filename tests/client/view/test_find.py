"""Which folders are results, and why the others are not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.view.find import find_results
from histoserve.client.view.slides import group


def changed(folder: Path, name: str, **changes: Any) -> None:
    """The file with `changes` merged into its top level; `...` takes a key out."""
    content = {**json.loads((folder / name).read_text()), **changes}
    (folder / name).write_text(json.dumps({key: each for key, each in content.items() if each is not ...}))


@pytest.mark.parametrize("named", [".", "discs", "discs/moons"])
def test_a_result_is_found_from_any_folder_above_it(out: Path, named: str) -> None:
    results, missing = find_results([out / named])

    assert [(each.pipeline, each.slide.name, each.saved.words) for each in results] == [
        ("moons", "discs.png", "1 moon")
    ]
    assert missing == []


def test_a_result_named_twice_is_shown_once(out: Path) -> None:
    assert len(find_results([out, out / "discs", out / "discs" / "moons"])[0]) == 1


BAD: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "no result.json": (lambda each: (each / "result.json").unlink(), "no-result", "There is no result.json"),
    "no JSON": (lambda each: (each / "result.json").write_text("{"), "damaged", "not what histoserve writes"),
    "of another program": (lambda each: (each / "result.json").write_text("{}"), "damaged", "not what histoserve"),
    "newer": (lambda each: changed(each, "result.json", schema=2), "newer", "has version 2, this histoserve shows 1"),
    "older": (lambda each: changed(each, "result.json", schema=...), "newer", "has version None"),
    "no layers.json": (lambda each: (each / "layers.json").unlink(), "no-layers", "Analyse the slide again"),
    "layers cut off": (lambda each: (each / "layers.json").write_text('{"schema": 1, "wo'), "damaged", "layers.json"),
    "newer layers": (lambda each: changed(each, "layers.json", schema=2), "damaged", "has version 2"),
    "layers of an unknown kind": (
        lambda each: changed(each, "layers.json", layers=[{"kind": "film"}]), "damaged", "kind 'film'"),
    "a region of three numbers": (lambda each: changed(each, "layers.json", seen=[[1, 2, 3]]), "damaged", "the region"),
    "no slide": (lambda each: changed(each, "result.json", slide=...), "damaged", "'slide' is missing"),
    "a slide of no size": (
        lambda each: changed(each, "result.json", slide={"width": 0, "height": 3}), "damaged", "holds 0 where"),
    "a slide that is a list": (lambda each: changed(each, "result.json", slide=[]), "damaged", "damaged"),
    "a pipeline that leads elsewhere": (
        lambda each: changed(each, "result.json", pipeline={"name": "../other"}), "damaged", "called '../other'"),
    "letters that are none": (
        lambda each: changed(each, "result.json", result={"a": "\ud800"}), "damaged", "surrogates"),
    "letters that are none in a name": (
        lambda each: changed(each, "result.json", slide={**json.loads((each / "result.json").read_text())["slide"],
                                                         "name": "\udc80"}), "damaged", "surrogates"),
    "a colour that is none": (
        lambda each: changed(each, "layers.json", layers=[{"kind": "shapes", "features": 1, "classes": [
            {"name": "a", "colour": [0, 0, 256], "count": 1}]}]), "damaged", "the colour"),
    "layers nested without end": (lambda each: (each / "layers.json").write_text("[" * 99_999), "damaged", "damaged"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "code", "words"), BAD.values(), ids=BAD.keys())
def test_what_is_no_result_is_told_in_words(out: Path, spoil: Any, code: str, words: str) -> None:
    good = shutil.copytree(out / "discs" / "moons", out / "discs" / "other")
    spoil(out / "discs" / "moons")

    results, missing = find_results([out])

    assert [each.folder for each in results] == [good]
    assert [(each.problem.code, each.problem.pipeline) for each in missing] == [(code, "moons")]
    assert words in str(missing[0])
    assert str(out) not in missing[0].problem.detail


@pytest.mark.parametrize(("spoil", "code", "words"), BAD.values(), ids=BAD.keys())
def test_where_nothing_is_left_to_show_the_reason_is_told(out: Path, spoil: Any, code: str, words: str) -> None:
    spoil(out / "discs" / "moons")

    with pytest.raises(HistoserveError, match="no result to show") as error:
        find_results([out])
    assert words in str(error.value)


def test_a_result_nested_without_end_is_damaged(out: Path) -> None:
    said = out / "discs" / "moons" / "result.json"
    said.write_text("[" * 99_999)

    with pytest.raises(HistoserveError, match="not what histoserve writes"):
        find_results([out])
    # What reads all results that the tests leave would not come out of it.
    said.unlink()


def test_an_unfinished_result_is_told_and_the_one_before_it_only_shown_if_named(out: Path) -> None:
    shutil.copytree(out / "discs" / "moons", out / "discs" / ".unfinished-moons-x1y2")
    before = (out / "discs" / "moons").rename(out / "discs" / ".previous-moons")

    with pytest.raises(HistoserveError, match="has not finished"):
        find_results([out])
    assert [each.folder for each in find_results([before])[0]] == [before]
    results, missing = find_results([before, out])
    assert (len(results), [each.problem.code for each in missing]) == (1, ["unfinished"])


def test_what_is_no_folder_is_wrong_usage(out: Path, slide_path: Path) -> None:
    for named, words in ((out / "nothing", "does not exist"), (slide_path, "is no folder")):
        with pytest.raises(WrongUsage, match=words):
            find_results([named])


def test_an_empty_folder_and_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for named in ([tmp_path / "empty"], []):
        with pytest.raises(HistoserveError, match="no result to show"):
            find_results(named)


def test_results_are_grouped_by_the_bytes_of_their_slide(
    out: Path, write: Any, tmp_path: Path, slide_path: Path
) -> None:
    write(tmp_path / "later", slide_path, pipeline="stars")
    other = tmp_path / "scans" / "discs.png"
    other.parent.mkdir()
    other.write_bytes(slide_path.read_bytes() + b"\0")
    write(tmp_path / "elsewhere", other)
    (tmp_path / "later" / "discs" / ".unfinished-suns-1").mkdir()

    slides, problems = group(*find_results([out, tmp_path / "elsewhere", tmp_path / "later"]))

    assert [[each.pipeline for each in slide.results] for slide in slides] == [["moons", "stars"], ["moons"]]
    assert [each.pipeline for each in slides[0].problems] == ["suns"]
    assert problems == []


def test_results_of_one_slide_by_two_scales_are_refused(out: Path, write: Any, slide_path: Path) -> None:
    write(out, slide_path, mpp=0.5, pipeline="stars")

    with pytest.raises(HistoserveError, match=r"discs.png, but say 300×220 px at 0.25 µm/px and 300×220 px at 0.5"):
        group(*find_results([out]))
