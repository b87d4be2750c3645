"""Runs that do not come to their end: what is left, and what is said."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoserve.client import analyze as analyze_module
from histoserve.client.analyze import Order, analyze
from histoserve.client.errors import HistoserveError, OutputError, ServerError
from histoserve.client.results import files as files_module


class Silent:
    """A watcher."""

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


@pytest.fixture
def order(slide_path: Path, tmp_path: Path) -> Order:
    return Order(slide_path, "nuclei", tmp_path / "out", mpp=0.25)


def run(order: Order, wire: Any) -> Any:
    return analyze(order, lambda: nullcontext(wire), Silent())


def files(order: Order) -> set[str]:
    """Without the journal, which looks like no result."""
    found = {path.relative_to(order.out) for path in order.out.rglob("*") if path.is_file()}
    return {str(path) for path in found if not path.match("discs/.unfinished-nuclei-*/journal")}


NAMES = ("layers.json", "nuclei.geojson", "nuclei.parquet", "overview.png", "result.json")
KEPT = {f"discs/.previous-nuclei/{name}" for name in NAMES}


def _fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("name", ["write_files", "write_result"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_a_full_disk_or_an_interruption_while_writing_keeps_the_old_result(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException
) -> None:
    run(order, disc_wire())
    monkeypatch.setattr(analyze_module, name, lambda *_: _fail(error))

    with pytest.raises((OutputError, KeyboardInterrupt), match=r"kept in .*previous-nuclei") as caught:
        run(order, disc_wire())
    assert files(order) == KEPT
    assert ("No space left" in str(caught.value)) == isinstance(error, OSError)
    assert "\n" not in str(caught.value)


def test_a_disk_that_is_full_before_the_parquet_is_whole_keeps_the_old_result(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(order, disc_wire())
    write = files_module.write_parquet
    monkeypatch.setattr(files_module, "write_parquet", lambda path, *rest: write(Path("/dev/full"), *rest))

    with pytest.raises(OutputError, match=r"cannot be written to .*: No space left on device\. Make room.*kept in"):
        run(order, disc_wire())
    assert files(order) == KEPT


def test_too_little_room_is_told_before_the_first_tile(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 2**20))  # type: ignore[attr-defined]
    wire = disc_wire()

    with pytest.raises(OutputError, match=r"room for 1 MiB; the result may need 32 MiB"):
        run(order, wire)
    assert wire.requests == []
    assert not order.out.exists()


def test_a_wrong_server_leaves_the_old_result_where_it_is(order: Order, disc_wire: Any) -> None:
    run(order, disc_wire())
    before = files(order)

    with pytest.raises(ServerError):
        analyze(order, lambda: _fail(ServerError("no Triton")), Silent())
    assert files(order) == before


Spoil = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: {},
        lambda rows: {name: array for name, array in rows.items() if name != "CONTOUR"},
        lambda rows: {**rows, "CENTROID": np.array(1, np.float32)},
        lambda rows: {**rows, "BOX": rows["BOX"][1:]},
        lambda rows: {**rows, "TYPE": rows["TYPE"] + 100},
        lambda rows: {**rows, "CONTOUR_END": rows["CONTOUR_END"][::-1]},
        lambda rows: {**rows, "AREA": rows["AREA"] * np.nan},
        lambda rows: {**rows, "TILE_INDEX": rows["TILE_INDEX"] + 1000},
    ],
)
def test_garbage_from_a_server_ends_in_words(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch, spoil: Spoil
) -> None:
    answer = disc_wire.infer
    monkeypatch.setattr(disc_wire, "infer", lambda *arguments: spoil(answer(*arguments)))

    with pytest.raises(HistoserveError):
        run(order, disc_wire())
    assert not order.out.exists()


def test_a_tile_whose_rows_are_not_finite_costs_itself_only(
    order: Order, disc_wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = disc_wire.infer

    def infer(self: Any, model: str, arrays: Any) -> Any:
        rows = answer(self, model, arrays)
        hit = model == "nuclei_tiles" and (arrays["REGION"][:, :2] == (32, 32)).all(axis=1).any()
        return {**rows, "AREA": rows["AREA"] * np.float32(np.nan)} if hit else rows

    monkeypatch.setattr(disc_wire, "infer", infer)
    [failed] = run(order, disc_wire()).result["tiles"]["failed"]
    assert (failed["region"], failed["at"]) == ([32, 32, 64, 64], "server")
    assert "AREA that is not finite" in failed["reason"]


PROGRAM = """
import signal, sys, time
from pathlib import Path
from histoserve.client import cli
from histoserve.client.results.folder import ResultFolder
from histoserve.client.results.source import Source

@cli.app.command()
def hold(out: str) -> None:
    with cli._in_words(), ResultFolder(Path(out), Source(Path("/a/x.svs"), "1"), "nuclei") as folder:
        folder.path("result.json").write_text("{}")
        print("writing", flush=True)
        time.sleep(60)

# A shell lets its background processes ignore Ctrl-C, and so those that run these tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["histoserve", "hold", sys.argv[1]]
cli.main()
"""


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGINT]])
def test_signals_while_writing_leave_nothing_that_looks_like_a_result(tmp_path: Path, signals: list[int]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "writing\n"
    for each in signals:
        process.send_signal(each)
        time.sleep(0.005)
    _, complaint = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert not list(tmp_path.glob("out/*/nuclei"))


def test_a_file_of_another_slide_is_told_in_one_line(order: Order, disc_wire: Any, tmp_path: Path) -> None:
    run(order, disc_wire())
    other = tmp_path / "b" / order.slide.name
    other.parent.mkdir()
    other.write_bytes(order.slide.read_bytes() + b"\0")

    with pytest.raises(OutputError, match=f"another slide of that name, {order.slide.name}"):
        run(Order(other, "nuclei", order.out, mpp=0.25), disc_wire())
    assert "path" not in json.loads((order.out / "discs/nuclei/result.json").read_text())["slide"]
