"""What servers leave behind, and what the next start makes of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from histoserve.deploy.local import supervise, traces
from histoserve.deploy.local.triton import LocalTriton

SHARED_MEMORY = Path("/dev/shm")
SERVE_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from histoserve.deploy.local.triton import LocalTriton
triton = LocalTriton(Path(sys.argv[1]), models=["where"], state=Path(sys.argv[2]))
print(flush=True)
triton.start()
print(triton.pid, triton._supervisor.pid, flush=True)
time.sleep(600)
"""
Serve = Callable[[], subprocess.Popen]


@pytest.fixture
def serve(repository: Path, tmp_path: Path) -> Serve:
    """Begins to start a server, in a process of its own that never stops it."""

    def serve() -> subprocess.Popen:
        command = [sys.executable, "-c", SERVE_UNTIL_KILLED, repository, tmp_path]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        parent.stdout.readline()
        return parent

    return serve


def left_of(parent: subprocess.Popen, state: Path) -> list[str]:
    """What it left, its log excepted."""
    names = [path.name for folder in (SHARED_MEMORY, state) for path in folder.glob(f"histoserve-{parent.pid}-*")]
    return [name for name in names if not name.endswith(".log")]


def test_a_start_removes_what_a_killed_supervisor_left_and_nothing_of_a_running_server(
    serve: Serve, triton: LocalTriton, repository: Path, tmp_path: Path
) -> None:
    parent = serve()
    server, supervisor = map(int, parent.stdout.readline().split())
    # A stage would remove its shared memory itself.
    for pid in (supervisor, parent.pid, *supervise._children(server)):
        os.kill(pid, signal.SIGKILL)
    parent.communicate()
    (log,) = tmp_path.glob("*.log")
    while not traces.is_abandoned(log):
        time.sleep(0.05)
    assert len(left_of(parent, tmp_path)) == 3  # the stage's shared memory, its lock, the run folder
    running = list(SHARED_MEMORY.glob(f"histoserve-{os.getpid()}-*"))

    with LocalTriton(repository, models=["where"], state=tmp_path):
        assert left_of(parent, tmp_path) == []
        assert running
        assert set(running) <= set(SHARED_MEMORY.iterdir())


@pytest.mark.parametrize("after_s", [0.02, 0.1, 0.3, 0.6])
def test_nothing_is_left_of_a_start_that_was_killed_half_way(
    serve: Serve, repository: Path, tmp_path: Path, after_s: float
) -> None:
    parent = serve()
    time.sleep(after_s)
    parent.kill()
    parent.communicate()
    time.sleep(1)

    traces.sweep(tmp_path, [tmp_path])

    assert left_of(parent, tmp_path) == []


def test_the_log_of_a_running_server_outlives_those_of_others(tmp_path: Path) -> None:
    with traces.hold(tmp_path / "histoserve-1-running.log"):
        for number in range(30):
            traces.hold(tmp_path / f"histoserve-2-{number:02}.log").close()
            os.utime(tmp_path / f"histoserve-2-{number:02}.log", (2e9 + number, 2e9 + number))

        traces.sweep(tmp_path, [])

        left = sorted(path.name for path in tmp_path.iterdir())
        # 19, and that of the server about to start.
        assert left == ["histoserve-1-running.log", *(f"histoserve-2-{number}.log" for number in range(11, 30))]


def test_a_lock_is_held_as_long_as_a_child_has_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with traces.hold(lock) as file:
        child = subprocess.Popen(["sleep", "60"], stdout=file)
    assert not traces.is_abandoned(lock)

    child.kill()
    child.wait()

    assert traces.is_abandoned(lock)
    assert not traces.is_abandoned(tmp_path / "none")
