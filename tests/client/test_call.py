"""Many slides in one call, with a server in this process."""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from histoserve.client import call as call_module
from histoserve.client.analyze import Order
from histoserve.client.call import Call, exit_code, run
from histoserve.client.errors import NoAnswer, OutputError, Refused, ServerError, WrongUsage
from histoserve.client.results.summary import COLUMNS, Row
from histoserve.client.travel.encode import Encoding


class Watched:
    """A board and a watcher that keep what they are told."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.complaints: list[str] = []

    @contextmanager
    def watcher(self, slide: Path, pipeline: str) -> Iterator["Watched"]:
        yield self

    def finished(self, slide: Path, row: Row) -> None:
        self.rows.append(row)

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    def phase(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...

    def say(self, text: str) -> None:
        self.complaints.append(text)


@pytest.fixture
def call(slide_path: Path, tmp_path: Path) -> Call:
    """Of three slides, one after the other."""
    slides = [slide_path, tmp_path / "b.png", tmp_path / "c.png"]
    for each in slides[1:]:
        shutil.copy(slide_path, each)
    return Call(slides, ["nuclei"], Order(Path(), "", tmp_path / "out", mpp=0.25), at_once=1)


def made(call: Call, wire: Any) -> list[Row]:
    return run(call, lambda: nullcontext(wire), Watched())


def geojson(call: Call) -> dict[str, bytes]:
    return {str(path.relative_to(call.order.out)): path.read_bytes() for path in call.order.out.rglob("*.geojson")}


def summary(call: Call) -> list[dict[str, str]]:
    return list(csv.DictReader((call.order.out / "summary.csv").read_text().splitlines()))


def test_slides_at_once_give_the_bytes_that_each_gives_alone(call: Call, disc_wire: Any) -> None:
    made(replace(call, at_once=3), disc_wire())
    alone = replace(call, order=replace(call.order, out=call.order.out.with_name("alone")))
    for slide in call.slides:
        made(replace(alone, slides=[slide]), disc_wire())

    assert len(geojson(call)) == 3
    assert geojson(call) == geojson(alone)
    assert not (alone.order.out / "summary.csv").exists()


def test_the_summary_has_the_rows_in_the_order_of_the_slides(call: Call, disc_wire: Any) -> None:
    rows = made(replace(call, at_once=3), disc_wire())

    assert list(summary(call)[0]) == list(COLUMNS)
    assert [each["slide"] for each in summary(call)] == ["discs.png", "b.png", "c.png"]
    assert {(row.state, row.result.split(",")[0]) for row in rows} == {("complete", "108 nuclei")}
    assert [each["folder"] for each in summary(call)] == [row.folder for row in rows]
    assert exit_code(rows) == 0


@pytest.mark.parametrize(("content", "words"), [(None, "does not exist"), (b"", "is empty"), (b"no slide", "neither")])
def test_a_bad_slide_is_a_row_and_stops_no_other(call: Call, disc_wire: Any, content: bytes | None, words: str) -> None:
    call.slides[1].unlink()
    if content is not None:
        call.slides[1].write_bytes(content)
    rows = made(call, disc_wire())

    assert [row.state for row in rows] == ["complete", "failed", "complete"]
    assert words in summary(call)[1]["remark"]
    assert (exit_code(rows), exit_code(rows[1:2])) == (3, 1)


def test_an_error_of_our_own_is_a_row_with_its_traceback_told(
    call: Call, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze = call_module.analyze
    monkeypatch.setattr(
        call_module, "analyze", lambda order, *more: analyze(order, *more) if order.slide.stem == "c" else 1 // 0
    )
    board = Watched()
    rows = run(call, lambda: nullcontext(disc_wire()), board)

    assert [row.state for row in rows] == ["failed", "failed", "complete"]
    assert "ZeroDivisionError" in rows[0].remark
    assert "Traceback" in board.complaints[0]


def test_without_a_slide_to_analyse_no_server_is_started(call: Call) -> None:
    def connect() -> Any:
        pytest.fail("connected")

    rows = run(replace(call, order=replace(call.order, mpp=None)), connect, Watched())
    assert all("--mpp" in row.remark for row in rows)
    assert exit_code(rows) == 1


def test_a_repeated_call_sends_nothing_but_the_question_which_network_answers(call: Call, disc_wire: Any) -> None:
    made(call, disc_wire())
    before = {path: path.stat().st_mtime_ns for path in call.order.out.rglob("result.json")}
    wire = disc_wire()
    rows = made(call, wire)

    assert {(row.state, row.result) for row in rows} == {("already there", rows[0].result)}
    assert wire.requests == [1]
    assert {path: path.stat().st_mtime_ns for path in call.order.out.rglob("result.json")} == before
    assert exit_code(rows) == 0


@pytest.mark.parametrize("change", ["again", "mpp", "encoding", "network", "model", "slide", "file", "garbled"])
def test_what_would_come_out_otherwise_is_made_again(call: Call, disc_wire: Any, contract: Any, change: str) -> None:
    made(call, disc_wire())
    place, wire = call.order.out / "discs" / "nuclei", disc_wire()
    order = {"mpp": {"mpp": 0.26}, "encoding": {"encoding": Encoding("jpeg", 80)}}.get(change, {})
    if change == "network":
        wire = disc_wire(network=lambda request: 8)
    elif change == "model":
        wire = disc_wire(settings=contract(threshold="0.3"))
    elif change == "slide":
        call.slides[0].write_bytes(call.slides[0].read_bytes() + b"\0")
    elif change == "file":
        (place / "nuclei.geojson").unlink()
    elif change == "garbled":
        result = json.loads((place / "result.json").read_text())
        (place / "result.json").write_text(json.dumps({**result, "tiles": [], "result": {}}))

    rows = made(replace(call, order=replace(call.order, **order), again=change == "again"), wire)
    assert rows[0].state == "complete"


def test_a_result_with_missing_tiles_is_made_again(call: Call, disc_wire: Any) -> None:
    def refuse(regions: Any) -> None:
        if (regions[:, :2] == (32, 32)).all(axis=1).any():
            raise Refused("no image")

    rows = made(call, disc_wire(refuse))
    assert {row.state for row in rows} == {"tiles missing"}
    assert "1 tile could not be analysed" in rows[0].remark
    assert exit_code(rows) == 3
    assert {row.state for row in made(call, disc_wire())} == {"complete"}


def test_ctrl_c_in_the_third_slide_keeps_two_and_the_same_call_goes_on(call: Call, disc_wire: Any) -> None:
    def interrupt(regions: Any) -> None:
        if len(wire.requests) > 2.5 * 14:
            raise KeyboardInterrupt

    wire = disc_wire(interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"2 of 3 results are complete\. The same command goes on"):
        made(call, wire)
    assert wire.stopped
    assert [each["state"] for each in summary(call)] == ["complete", "complete", "not finished"]
    again = disc_wire()
    assert [row.state for row in made(call, again)] == ["already there", "already there", "complete"]
    # One tile to learn which network answers, and of the third slide's 54 those that had no answer.
    assert 1 < sum(again.requests) < 1 + 54 / 2 + 10


def test_when_servers_answer_no_more_the_rest_is_not_tried(call: Call, disc_wire: Any) -> None:
    def vanish(regions: Any) -> None:
        raise NoAnswer("here:8001", "gone")

    wire = disc_wire(vanish)
    rows = made(call, wire)

    assert [row.state for row in rows] == ["failed"] * 3
    assert "Not tried any more" in rows[1].remark
    assert wire.requests == []


def test_wrong_usage_ends_the_call(call: Call, disc_wire: Any) -> None:
    for order, words in (({"batch": 99}, "--batch 99"), ({"mpp": float("nan")}, "nan")):
        with pytest.raises(WrongUsage, match=words):
            made(replace(call, order=replace(call.order, **order)), disc_wire())
    with pytest.raises(WrongUsage, match=r"'moons' is unknown; this client knows .*nuclei"):
        made(replace(call, pipelines=["nuclei", "moons"]), disc_wire())


def test_a_server_without_the_pipeline_ends_the_call_before_any_slide(
    call: Call, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contract(self: Any, pipeline: str) -> None:
        raise ServerError("does not serve it")

    monkeypatch.setattr(disc_wire, "contract", contract)
    with pytest.raises(ServerError, match="does not serve it"):
        made(call, disc_wire())
    assert not call.order.out.exists()


def test_a_folder_that_cannot_be_written_ends_the_call(call: Call, disc_wire: Any) -> None:
    call.order.out.mkdir()
    (call.order.out / "summary.csv").mkdir()

    with pytest.raises(OutputError, match="summary cannot be written"):
        made(call, disc_wire())
    assert [path.name for path in call.order.out.iterdir()] == ["summary.csv"]


@pytest.mark.parametrize(("replaced", "times"), [(False, 1), (True, 2)])
def test_a_slide_is_surveyed_once_for_all_its_pipelines_unless_its_file_is_replaced(
    call: Call, disc_wire: Any, monkeypatch: pytest.MonkeyPatch, replaced: bool, times: int
) -> None:
    surveyed: list[str] = []
    look = call_module.look_once

    def counted(slide: Any, *more: Any) -> Any:
        surveyed.append(slide.name)
        survey = look(slide, *more)
        if replaced and len(surveyed) == 1:
            shutil.copy(slide.path, slide.path.with_name("new"))
            slide.path.with_name("new").replace(slide.path)
        return survey

    monkeypatch.setattr(call_module, "look_once", counted)
    rows = made(replace(call, slides=call.slides[:1], pipelines=["nuclei", "peakmap"]), disc_wire())
    assert len(surveyed) == times
    assert len(rows) == 2
