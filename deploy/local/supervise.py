"""Keep one tritonserver running for one parent process, and leave nothing behind when either ends.

Run as a script with a `Plan` as JSON, never imported by the server's side; needs the standard library only.

    parent ──signals──▶ supervise ──▶ tritonserver ──▶ stubs
       ▲ polled: gone? ────┘   ▲ polled: ended? ┘        ▲ polled: dead?

* The parent is gone, `kill -9` included: server and stubs are killed.
* SIGINT: the same. SIGTERM: after the requests in flight, which takes some seconds even if there are none.
* The server ends: the stubs are killed, and its exit code becomes this script's.
* A stub dies (out of memory, a crash in native code): since release 24.06 Triton answers every later request for that
  model with INTERNAL "Stub process '…' is not healthy." and still reports itself ready, so the server is started anew.
* This script is killed: the kernel kills the server, and stubs without a server end by themselves within two seconds.
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
GRACE_S = 15.0
"""How long a server that was asked to stop may take for the requests in flight."""
WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
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
    """The name under which this server, and no other that took its port, answers."""
    http: str
    metrics: str
    folder: str
    """Holds `pid` while the server runs and `ready` while it can take requests; removed at the end."""
    shm_prefix: str
    """How the names of the stubs' shared memory begin; what is left of it is removed."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def supervise(plan: Plan) -> int:
    """Run the plan to its end; returns the server's exit code, 128 + n for signal n, 0 if it was stopped on purpose."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        while True:
            end, code = _run(plan)
            if end != "stub died":
                return code
            print("histoserve: a Python stub died, so the server is started anew", file=sys.stderr, flush=True)
    finally:
        remove_traces(plan)


def _run(plan: Plan) -> tuple[End, int]:
    server = subprocess.Popen(
        plan.command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True, preexec_fn=_before_exec
    )
    folder = Path(plan.folder)
    (folder / "pid").write_text(str(server.pid))
    try:
        end = _watch(plan, server.pid)
        if end == "asked":
            _wait_gracefully(plan, server.pid)
    finally:
        (folder / "ready").unlink(missing_ok=True)
        _kill_group(server)
    code = server.returncode if end == "ended" else 0
    return end, code if code >= 0 else 128 - code


def _watch(plan: Plan, server: int) -> End:
    ready = False
    dead_before: set[int] = set()
    while True:
        if _has_ended(server):
            return "ended"
        if os.getppid() != plan.parent:
            return "orphaned"
        caught = _signal_within(RUNNING_POLL_S if ready else STARTING_POLL_S)
        if caught in (signal.SIGTERM, signal.SIGINT):
            return "asked" if caught == signal.SIGTERM else "asked now"
        if not ready:
            ready = _is_ready(plan)
            if ready:
                (Path(plan.folder) / "ready").touch()
            continue
        # A stub that ends on purpose is a zombie for a moment, until the server collects it: only twice counts.
        dead = _dead_children(server)
        if dead & dead_before:
            return "stub died"
        dead_before = dead


def _wait_gracefully(plan: Plan, server: int) -> None:
    """Let the server finish what it has begun; SIGINT, or the parent's end, cuts that short."""
    os.kill(server, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while not _has_ended(server) and os.getppid() == plan.parent and time.monotonic() < deadline:
        if _signal_within(STARTING_POLL_S) == signal.SIGINT:
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


def _dead_children(parent: int) -> set[int]:
    """The children of `parent` that have ended and that it has not collected."""
    dead = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The second field, the name in brackets, may itself hold blanks and brackets.
            state, parent_pid = stat.read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent_pid) == parent:
                dead.add(int(stat.parent.name))
    return dead


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
    for region in Path("/dev/shm").glob(f"{plan.shm_prefix}*"):
        region.unlink(missing_ok=True)
    shutil.rmtree(plan.folder, ignore_errors=True)


def _before_exec() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(supervise(Plan(**json.loads(sys.argv[1]))))
