"""The folder of a result: complete or not there, of one run, of one slide."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from histoserve.client.errors import OutputError
from histoserve.client.results.folder import ResultFolder
from histoserve.client.results.source import Source, source_of

SLIDE = Source(Path("/a/x.svs"), "11")
PLACE = Path("x", "nuclei")


def write(folder: ResultFolder, text: str, *more: str, source: Source = SLIDE) -> None:
    """A result with these further files."""
    for name in more:
        folder.path(name).write_text(text)
    slide = {"name": source.path.name, **source.described()}
    result = {"histoserve": "1", "slide": slide, "files": list(more), "text": text}
    folder.path("result.json").write_text(json.dumps(result))


def failed(out: Path, error: BaseException) -> None:
    """A run that had begun its work, and raises."""
    with ResultFolder(out, SLIDE, "nuclei") as folder:
        folder.set_previous_aside()
        write(folder, "half")
        raise error


def finished(out: Path, text: str, *more: str, source: Source = SLIDE) -> None:
    with ResultFolder(out, source, "nuclei") as folder:
        write(folder, text, *more, source=source)
        folder.commit()


def texts(out: Path) -> dict[str, str]:
    """Of every file, by its path."""
    return {
        str(path.relative_to(out)): json.loads(path.read_text())["text"] if path.suffix == ".json" else path.read_text()
        for path in out.rglob("*")
        if path.is_file()
    }


def test_no_file_of_the_old_result_stands_beside_the_new_one(tmp_path: Path) -> None:
    finished(tmp_path, "old", "peaks.png")
    finished(tmp_path, "new", "overview.png")

    assert texts(tmp_path) == {"x/nuclei/result.json": "new", "x/nuclei/overview.png": "new"}


@pytest.mark.parametrize("error", [OutputError("disk full"), KeyboardInterrupt()])
def test_a_failed_run_keeps_the_old_result_where_it_is_not_taken_for_its_own(
    tmp_path: Path, error: BaseException
) -> None:
    finished(tmp_path, "old")
    with pytest.raises(type(error), match=r"kept in .*x/\.previous-nuclei"):
        failed(tmp_path, error)

    assert texts(tmp_path) == {"x/.previous-nuclei/result.json": "old"}


def test_a_run_that_fails_before_its_work_begins_touches_nothing(tmp_path: Path) -> None:
    finished(tmp_path, "old")
    with pytest.raises(OutputError), ResultFolder(tmp_path, SLIDE, "nuclei"):
        raise OutputError("no server")

    assert texts(tmp_path) == {"x/nuclei/result.json": "old"}


def test_an_unfinished_result_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        failed(tmp_path / "a", RuntimeError())

    assert list(tmp_path.iterdir()) == []


def test_the_result_after_a_failure_replaces_what_was_kept(tmp_path: Path) -> None:
    test_a_failed_run_keeps_the_old_result_where_it_is_not_taken_for_its_own(tmp_path, OutputError("disk full"))
    finished(tmp_path, "new")

    assert texts(tmp_path) == {"x/nuclei/result.json": "new"}


def test_another_slide_of_the_same_name_is_refused(tmp_path: Path) -> None:
    finished(tmp_path, "old")
    other = Source(Path("/b/x.tiff"), "22")

    with pytest.raises(OutputError, match=r"x/nuclei holds the result of another slide of that name, x\.svs"):
        finished(tmp_path, "new", source=other)
    assert texts(tmp_path) == {"x/nuclei/result.json": "old"}


@pytest.mark.parametrize("again", [Source(Path("/moved/x.svs"), "11"), Source(Path("/a/x.svs"), "scanned anew")])
def test_the_same_slide_moved_or_written_anew_is_not_another(tmp_path: Path, again: Source) -> None:
    finished(tmp_path, "old")
    finished(tmp_path, "new", source=again)

    assert texts(tmp_path) == {"x/nuclei/result.json": "new"}


def test_what_is_not_of_a_result_is_never_removed(tmp_path: Path) -> None:
    finished(tmp_path, "old")
    (tmp_path / PLACE / "notes.txt").write_text("mine")

    with pytest.raises(OutputError, match=r"holds notes\.txt, which is not of the result"):
        finished(tmp_path, "new")
    (tmp_path / PLACE / "result.json").unlink()
    with pytest.raises(OutputError, match="something else than a result"):
        finished(tmp_path, "new")


@pytest.mark.parametrize("taken", ["", "x", "x/nuclei"])
def test_a_file_where_a_folder_is_wanted_is_told_at_once(tmp_path: Path, taken: str) -> None:
    (tmp_path / "out" / taken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / taken).write_text("mine")

    with pytest.raises(OutputError, match="out"), ResultFolder(tmp_path / "out", SLIDE, "nuclei"):
        pytest.fail("was entered")
    assert (tmp_path / "out" / taken).read_text() == "mine"


def test_too_little_room_is_told_with_both_numbers(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"room for \d+ MiB; the result may need 1125899906842624 MiB"),
        ResultFolder(tmp_path, SLIDE, "nuclei") as folder,
    ):
        folder.require_room(2**70)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a b.c.svs", "a b.c"), (".svs", "_svs"), ("..svs", "_"), ("a\nb.svs", "a_b"), ("a\\b.png", "a_b"), ("x", "x")],
)
def test_odd_names_of_slides_are_folders_in_out(name: str, folder: str) -> None:
    assert Source(Path("/a") / name, "").folder == folder


@pytest.mark.parametrize("size", [3_000_000, 50_000_000])
def test_a_slide_is_known_by_its_size_its_ends_and_what_lies_between(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x"
    changes = [(0, b""), (0, b"b"), (size - 1, b"b"), (size, b"a"), (size // 3, b"b" * (size // 50))]
    found = set()
    for place, change in changes:
        path.write_bytes(b"a" * size)
        with path.open("r+b") as file:
            file.seek(place)
            file.write(change)
        found.add(source_of(path).content)
    assert len(found) == len(changes)


def test_a_linked_slide_has_the_name_that_the_user_sees(tmp_path: Path) -> None:
    (tmp_path / "4f2a.svs").write_bytes(b"a")
    (tmp_path / "seen.svs").symlink_to(tmp_path / "4f2a.svs")

    assert source_of(tmp_path / "seen.svs").folder == "seen"


def _until_killed(out: Path, told: Any) -> None:
    with ResultFolder(out, SLIDE, "nuclei") as folder:
        write(folder, "half")
        told.set()
        signal.pause()


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Any]:
    """A process that is in the middle of writing."""
    spawn = multiprocessing.get_context("fork")
    told = spawn.Event()
    process = spawn.Process(target=_until_killed, args=(tmp_path, told))
    process.start()
    assert told.wait(30)
    yield process
    process.kill()
    process.join()


def test_what_a_killed_run_left_is_removed_by_the_next_one(tmp_path: Path, killed: Any) -> None:
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    assert list((tmp_path / "x").glob(".unfinished-*/result.json"))

    finished(tmp_path, "new")
    assert texts(tmp_path) == {"x/nuclei/result.json": "new"}


def test_a_run_that_goes_on_is_left_alone_and_the_last_one_stays_whole(tmp_path: Path, killed: Any) -> None:
    with ResultFolder(tmp_path, SLIDE, "nuclei") as slow:
        write(slow, "slow", "a.png")
        finished(tmp_path, "fast", "b.png")
        assert len(list((tmp_path / "x").glob(".unfinished-*"))) == 2
        slow.commit()

    assert {name: text for name, text in texts(tmp_path).items() if "unfinished" not in name} == {
        "x/nuclei/result.json": "slow",
        "x/nuclei/a.png": "slow",
    }


@pytest.mark.parametrize("step", ["rename", "removal"])
def test_a_death_around_the_second_rename_leaves_no_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    finished(tmp_path, "old", "peaks.png")
    rename = Path.rename
    if step == "rename":
        monkeypatch.setattr(Path, "rename", lambda self, to: rename(self, to) if self.name == "nuclei" else _die())
    # A dead process removes nothing either.
    monkeypatch.setattr(
        shutil, "rmtree", lambda folder, **_: _die() if step == "removal" and _stands(tmp_path) else None
    )
    with pytest.raises(SystemError):
        finished(tmp_path, "new")
    monkeypatch.undo()
    assert not (tmp_path / "x/nuclei/peaks.png").exists()

    finished(tmp_path, "newest", "overview.png")
    assert texts(tmp_path) == {"x/nuclei/result.json": "newest", "x/nuclei/overview.png": "newest"}


def _stands(out: Path) -> bool:
    return texts(out).get("x/nuclei/result.json") == "new"


def _die() -> None:
    raise SystemError("power cut")
