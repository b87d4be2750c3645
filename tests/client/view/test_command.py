"""The command: what it refuses, what it prints, how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from histoserve.client.errors import WrongUsage
from histoserve.client.view.address import listen

Command = Callable[..., tuple[int, str]]
Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*arguments)` → the process and the address it prints."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object) -> tuple[subprocess.Popen[str], str]:
        command = [str(Path(sys.executable).with_name("histoserve")), "view", *map(str, arguments)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        assert lines[2] == "ready; Ctrl-C stops\n", (lines, process.stderr and process.stderr.read())
        return process, lines[1].split()[1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop_and_ends_with_0(start: Start, out: Path, number: int) -> None:
    process, address = start(out)
    with urllib.request.urlopen(f"{address}s/0/description.json") as answer:
        assert json.load(answer)["name"] == "discs.png"

    process.send_signal(number)

    printed, complained = process.communicate(timeout=20)
    assert (process.returncode, printed, complained) == (0, "", "")


def test_results_that_cannot_be_written_to_are_shown(start: Start, out: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    for each in (*out.rglob("*"), out):
        each.chmod(0o555 if each.is_dir() else 0o444)

    _, address = start(out)

    with urllib.request.urlopen(f"{address}s/0/slide/0/0_0.jpg") as answer:
        assert answer.read(2) == b"\xff\xd8"


def test_a_token_is_wanted_where_others_can_ask(start: Start, out: Path) -> None:
    _, link = start(out, "--allow-network", "--address", "127.0.0.1")
    address, token = link.split("?token=")

    assert len(token) >= 32
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{address}s/0/description.json")
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.open(link).close()
    assert opener.open(f"{address}s/0/description.json").status == 200


def test_a_port_in_use_is_told_in_a_sentence(histoserve: Command, out: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, told = histoserve("view", out, "--port", port)

    assert code == 1
    assert told.strip() == (f"histoserve: Port {port} of 127.0.0.1 is in use, perhaps by another histoserve view: give "
                            "another --port, or none.")  # fmt: skip


def wrong(out: Path) -> dict[str, list[object]]:
    return {
        "can be reached by others": [out, "--address", "0.0.0.0"],
        "is none of this machine's": [out, "--address", "no such name"],
        "--for 'nurse' is nobody: give doctor or patient": [out, "--for", "nurse"],
        "--lang 'xx' is not there: give en or zh": [out, "--lang", "xx"],
        "--registration is for two slides": [out, "--registration", out / "discs" / "moons" / "result.json"],
        "--slide .*none does not exist": [out, "--slide", out / "none"],
        "none does not exist; give the folder": [out / "none"],
        "less than or equal to 65535": [out, "--port", "65536"],
        "Missing argument": [],
    }


@pytest.mark.parametrize("words", wrong(Path()))
def test_wrong_usage_ends_with_2(histoserve: Command, out: Path, words: str) -> None:
    code, told = histoserve("view", *wrong(out)[words])

    assert code == 2
    assert re.search(words, re.sub(r"[│\s]+", " ", told))


def test_another_slide_is_refused(histoserve: Command, out: Path, slide_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(slide_path, tmp_path / "other.png"))
    other.write_bytes(other.read_bytes() + b"\0")

    code, told = histoserve("view", out, "--slide", other)

    assert code == 1
    assert "other.png is not the slide that was analysed: that one is called discs.png" in told


def test_a_folder_without_results_is_refused(histoserve: Command, tmp_path: Path) -> None:
    code, told = histoserve("view", tmp_path)

    assert code == 1
    assert "There is no result to show" in told


def test_an_address_beyond_this_machine_has_to_be_allowed() -> None:
    for address in ("0.0.0.0", "::"):
        with pytest.raises(WrongUsage, match="--allow-network"):
            listen(address, 0, False)
    here, everywhere = listen("localhost", 0, False), listen("0.0.0.0", 0, True)
    with here.socket, everywhere.socket:
        assert here.link == f"http://localhost:{here.socket.getsockname()[1]}/"
        assert everywhere.host == socket.gethostname()


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, histoserve: Command, out: Path) -> None:
    monkeypatch.setitem(sys.modules, "histoserve.client.view.command", None)

    code, told = histoserve("view", out)

    assert code == 1
    assert "histoserve[view]" in told


def test_the_version_of_any_command_needs_nothing_of_the_page() -> None:
    program = (
        "import sys, histoserve.client.cli; print({'starlette', 'uvicorn', 'jinja2', 'orjson'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
