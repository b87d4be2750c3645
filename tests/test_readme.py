"""Every block of the README and of the pages that it links is run as it stands, in order, in the checkout."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {
    page: re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    for page in ("README.md", *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/*.md"))))
}
THIS_VERY_RUN = "make test\n"
SERVE = "histoserve serve --port 8001\n"
VIEW = "histoserve view "

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The commands on the path, as after `source .venv/bin/activate`."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}


@pytest.fixture(scope="module")
def left_running() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def wait_for_server(process: subprocess.Popen[str]) -> None:
    """Until the command says that it serves."""
    assert process.stdout is not None
    deadline = time.monotonic() + 180
    while "ready; " not in process.stdout.readline():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline


def test_the_readme_has_the_two_commands_first() -> None:
    assert [text for _, text in PAGES["README.md"][:2]] == ["make demo\n", THIS_VERY_RUN]


def test_every_page_is_linked_and_has_blocks_that_run() -> None:
    readme = (ROOT / "README.md").read_text()
    for page, blocks in PAGES.items():
        assert {kind for kind, _ in blocks} <= {"sh", "python"}
        assert page == "README.md" or f"]({page})" in readme


@pytest.mark.parametrize(("page", "number"), [(page, n) for page, blocks in PAGES.items() for n in range(len(blocks))])
def test_the_block_runs(
    shared: Path, environment: dict[str, str], left_running: list[subprocess.Popen[str]], page: str, number: int
) -> None:
    kind, text = PAGES[page][number]
    if text == THIS_VERY_RUN or (text == SERVE and left_running):
        return
    if "npm" in text and not shutil.which("npm"):
        assert not os.environ.get("CI"), "npm is missing: CI must not skip the JavaScript client"
        pytest.skip("needs node and npm")
    if text == SERVE or text.startswith(VIEW):
        command = ["bash", "-ec", f"exec {text}"]
        left_running.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True))
        wait_for_server(left_running[-1])
        return
    command = [sys.executable, "-c", text] if kind == "python" else ["bash", "-ec", text]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=590)
    printed = run.stdout + run.stderr
    # A benchmark that misses its target exits with 1; on a busy machine that says nothing about the code.
    assert run.returncode in ((0, 1) if "histoserve bench" in text else (0,)), printed[-6000:]
    assert "Traceback" not in printed
