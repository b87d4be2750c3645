"""The command: its exit codes, and errors in words."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from histoserve.client import cli, connect
from histoserve.client.errors import Refused

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Calls the command with its arguments; gives the exit code and what it complained of."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["histoserve", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def serve_discs(monkeypatch: pytest.MonkeyPatch, disc_wire: Any) -> Callable[..., None]:
    """Makes every connection lead to a DiscWire made with the arguments."""
    return lambda *hooks: monkeypatch.setattr(connect, "connect", lambda *_: nullcontext(disc_wire(*hooks)))


def test_a_complete_analysis_ends_with_0(run: Run, serve_discs: Any, slide_path: Path, tmp_path: Path) -> None:
    serve_discs()

    code, _ = run("analyze", slide_path, "--pipeline", "nuclei", "--mpp", 0.25, "-o", tmp_path / "out")

    assert code == 0
    assert json.loads((tmp_path / "out/discs/nuclei/result.json").read_text())["result"]["nuclei"]["count"] == 108


def test_failed_tiles_end_with_3(run: Run, serve_discs: Any, slide_path: Path, tmp_path: Path) -> None:
    def refuse(regions: Any) -> None:
        if (regions[:, :2] == (32, 32)).all(axis=1).any():
            raise Refused("no image")

    serve_discs(refuse)
    code, complaint = run("analyze", slide_path, "--pipeline", "nuclei", "--mpp", 0.25, "-o", tmp_path / "out")

    assert code == 3
    assert "1 tile could not be analysed" in complaint


def test_a_failure_ends_with_1_in_words(run: Run, tmp_path: Path) -> None:
    code, complaint = run("analyze", tmp_path / "no.svs", "--pipeline", "nuclei", "-o", tmp_path / "out")

    assert code == 1
    assert "no.svs does not exist" in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "encoding"), [(b"no\xff.svs", "ascii"), (b"[red]\n\xc2\xb5[/red].svs", "utf-8")])
def test_any_name_of_a_file_can_be_complained_of(tmp_path: Path, name: bytes, encoding: str) -> None:
    program = "import sys; from histoserve.client.cli import main; main()"
    command = [sys.executable, "-c", program, "analyze", name, "--pipeline", "nuclei", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}

    done = subprocess.run(command, capture_output=True, timeout=60, env=environment)

    assert done.returncode == 1
    assert b"does not exist; give the path of a slide." in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--encoding", "png"],
        ["--mpp", "0.001"],
        ["--pipeline", "moons"],
        ["--server", "http://here:8000"],
        ["--server", ""],
        ["--server", "there:8001,there:8001"],
        ["--pipeline", ","],
        ["--in-flight", "0"],
        ["--batch", "-1"],
        ["--no-such-option"],
        ["-o", ""],
    ],
)
def test_wrong_usage_ends_with_2(run: Run, slide_path: Path, tmp_path: Path, wrong: list[str]) -> None:
    arguments = ["--pipeline", "nuclei", "--mpp", "0.25", "--server", "here:8001", "-o", str(tmp_path / "out"), *wrong]

    code, complaint = run("analyze", slide_path, *arguments)

    assert code == 2
    assert "Traceback" not in complaint
    assert not (tmp_path / "out").exists()


def test_the_second_slide_of_a_pair_is_refused_in_words_where_there_is_none(run: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "a.tiff", tmp_path / "b.tiff"

    unnamed = run("phantom", one, "--size", "40x40", "--same-section")
    alone = run("phantom", one, "--size", "40x40", "--pair", two)

    assert unnamed == (2, "histoserve: --same-section says what the second slide shows: name that slide with --pair.\n")
    assert alone[0] == 1
    assert "slides of kind 'he' come alone" in alone[1]
    assert not list(tmp_path.iterdir())


def test_an_interruption_ends_with_130_and_leaves_nothing(
    run: Run, serve_discs: Any, slide_path: Path, tmp_path: Path
) -> None:
    def interrupt(regions: Any) -> None:
        raise KeyboardInterrupt

    serve_discs(interrupt)
    code, complaint = run("analyze", slide_path, "--pipeline", "nuclei", "--mpp", 0.25, "-o", tmp_path / "out")

    assert code == 130
    assert "interrupted; 0 of 1 results are complete" in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "missing", "extra"),
    [
        (["serve"], "histoserve.deploy.local.serve", "server"),
        (["export", "nuclei", "--repository", "."], "histoserve.export.commands", "export"),
        (["bench", "watershed"], "histoserve.benchmark.watershed.bench", "server,dev"),
        (["train", "nuclei", "--data", ".", "-o", "."], "histoserve.export.commands", "export"),
    ],
)
def test_a_command_that_is_not_installed_names_its_extra(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], missing: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    code, complaint = run(*arguments)

    assert code == 1
    assert f"histoserve[{extra}]" in complaint


def test_the_command_starts_without_server_or_network_libraries() -> None:
    heavy = ["torch", "onnx", "onnxruntime", "numba", "scipy", "skimage", "grpc", "openslide"]
    program = f"import sys; import histoserve.client.cli; print([m for m in {heavy} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
