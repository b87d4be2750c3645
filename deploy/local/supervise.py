"""Keep one tritonserver running for one parent process, and leave nothing behind when either ends.

Run as a script with a `Plan` as JSON, never imported by the server's side; needs the standard library only.

    parent ──signals──▶ supervise ──▶ tritonserver ──▶ stubs
       ▲ polled: gone? ────┘   ▲ polled: ended? ┘        ▲ polled: dead?

* The parent is gone, `kill -9` included: server and stubs are killed.
* SIGINT, SIGHUP: the same. SIGTERM: after the requests in flight, which takes some seconds even if there are none.
* The server ends, told to by somebody or before it ever was ready: the stubs are killed, and its exit code becomes
  this script's. If it was killed or crashed (out of memory, most likely), it is started anew.
* A stub dies (out of memory, a crash in native code): since release 24.06 Triton answers every later request for that
  model with INTERNAL "Stub process '…' is not healthy." and still reports itself ready, so the server is started anew.
  So it is if that fails, as when the next stub is killed while it loads: RESTARTS_IN_A_ROW times.
* This script is killed: the kernel kills the server, and stubs without a server end by themselves within two seconds.
  Their shared memory and the plan's folder are left then, until the parent stops, or another server starts.

Polls are cheap: a glance at the state of each known stub, whose list is read anew from time to time.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

STARTING_POLL_S = 0.1
RUNNING_POLL_S = 0.5
RELISTED_EVERY = 20
"""Polls until the stubs are listed anew, since models can be loaded into a running server."""
RESTARTS_IN_A_ROW = 5
"""Tries to start a server anew that once was ready."""
GRACE_S = 15.0
"""How long a server that was asked to stop may take for the requests in flight."""
STOPS_NOW = {signal.SIGINT, signal.SIGHUP}
WATCHED = {signal.SIGTERM, signal.SIGCHLD, *STOPS_NOW}
SHARED_MEMORY = Path("/dev/shm")
# From linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

End = Literal["ended", "asked", "asked now", "orphaned", "stub died"]


@dataclass(frozen=True)
class Plan:
    """What to run and for whom."""

    parent: int
    command: list[str]
    """tritonserver and its arguments."""
    server_id: str
    """The name under which this server, and no other that took its port, answers; its stubs' shared memory bears it."""
    http: str
    metrics: str
    folder: str
    """Holds `pid` while the server runs and `ready` while it can take requests; removed at the end."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def supervise(plan: Plan) -> int:
    """Run the plan to its end; returns the server's exit code, 128 + n for signal n, 0 if it was stopped on purpose."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    tries = 0
    try:
        while True:
            end, code, was_ready = _run(plan)
            tries = RESTARTS_IN_A_ROW if was_ready else tries - 1
            if tries <= 0 or not (end == "stub died" or (end == "ended" and code)):
                return code
            died = "a Python stub died" if end == "stub died" else f"tritonserver ended with code {code}"
            print(f"histoserve: {died}, so the server is started anew", file=sys.stderr, flush=True)
    finally:
        remove_traces(plan)


def _run(plan: Plan) -> tuple[End, int, bool]:
    """One server: why it came to its end, its exit code if that was its own, whether it was ready."""
    server = subprocess.Popen(
        plan.command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True, preexec_fn=_before_exec
    )
    folder = Path(plan.folder)
    try:
        _write_pid(folder, server.pid)
        end = _watch(plan, server.pid)
        if end == "asked":
            _wait_gracefully(plan, server.pid)
    finally:
        was_ready = (folder / "ready").exists()
        (folder / "ready").unlink(missing_ok=True)
        _kill_group(server)
        # Each start makes new ones.
        _remove_regions(plan)
    code = server.returncode if end == "ended" else 0
    return end, code if code >= 0 else 128 - code, was_ready


def _write_pid(folder: Path, pid: int) -> None:
    # At once: a reader must not find it empty.
    (folder / "pid.new").write_text(str(pid))
    (folder / "pid.new").replace(folder / "pid")


def _watch(plan: Plan, server: int) -> End:
    ready = False
    polls = 0
    stubs: set[int] = set()
    dead_before: set[int] = set()
    while True:
        if _has_ended(server):
            return "ended"
        if os.getppid() != plan.parent:
            return "orphaned"
        caught = _signal_within(RUNNING_POLL_S if ready else STARTING_POLL_S)
        if caught in (signal.SIGTERM, *STOPS_NOW):
            return "asked" if caught == signal.SIGTERM else "asked now"
        if not ready:
            ready = _is_ready(plan)
            if ready:
                (Path(plan.folder) / "ready").touch()
            continue
        if polls % RELISTED_EVERY == 0:
            stubs = _children(server)
        polls += 1
        # A stub that ends on purpose is a zombie for a moment, until the server collects it: only twice counts.
        dead = {stub for stub in stubs if _is_zombie(stub, server)}
        if dead & dead_before:
            return "stub died"
        dead_before = dead


def _wait_gracefully(plan: Plan, server: int) -> None:
    """Let the server finish what it has begun; SIGINT, or the parent's end, cuts that short."""
    os.kill(server, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while not _has_ended(server) and os.getppid() == plan.parent and time.monotonic() < deadline:
        if _signal_within(STARTING_POLL_S) in STOPS_NOW:
            return


def _signal_within(seconds: float) -> int | None:
    caught = signal.sigtimedwait(WATCHED, seconds)
    return None if caught is None else caught.si_signo


def _is_ready(plan: Plan) -> bool:
    try:
        return (
            _get(plan.http, "/v2/health/ready") is not None
            and json.loads(_get(plan.http, "/v2") or b"{}").get("name") == plan.server_id
            and _get(plan.metrics, "/metrics") is not None
        )
    except (OSError, http.client.HTTPException, ValueError):
        return False


def _get(address: str, path: str) -> bytes | None:
    """The body of a reply with status 200, else None."""
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.client.OK else None
    finally:
        connection.close()


def _has_ended(pid: int) -> bool:
    # The ended server is left uncollected, so that its number, which is its group's too, goes to nobody else.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _children(parent: int) -> set[int]:
    lists = list(Path(f"/proc/{parent}/task").glob("*/children"))
    if not lists:
        # A kernel without these lists.
        return {pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _state(pid)[1] == parent}
    children: set[int] = set()
    for each in lists:
        with suppress(OSError):
            children.update(map(int, each.read_text().split()))
    return children


def _is_zombie(pid: int, parent: int) -> bool:
    """Whether the child `pid` of `parent` has ended and `parent` has not collected it."""
    return _state(pid) == ("Z", parent)


def _state(pid: int) -> tuple[str, int]:
    """The state of a process and its parent; of one that is gone ("", 0)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            # The second field, the name in brackets, may itself hold blanks and brackets.
            state, parent = stat.read().rpartition(")")[2].split()[:2]
    except OSError:
        return "", 0
    return state, int(parent)


def _kill_group(server: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the server and its stubs, and return when all of it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    deadline = time.monotonic() + GRACE_S
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)


def remove_traces(plan: Plan) -> None:
    """Remove the plan's folder and the shared memory of stubs that were killed."""
    _remove_regions(plan)
    shared_memory_lock(plan.server_id).unlink(missing_ok=True)
    shutil.rmtree(plan.folder, ignore_errors=True)


def shared_memory_lock(server_id: str) -> Path:
    """The file whose lock says that the shared memory of this server is in use."""
    return SHARED_MEMORY / f"{server_id}.lock"


def _remove_regions(plan: Plan) -> None:
    for region in SHARED_MEMORY.glob(f"{plan.server_id}-*"):
        region.unlink(missing_ok=True)


def _before_exec() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(supervise(Plan(**json.loads(sys.argv[1]))))
