"""Keep one process running for one parent process, and end it when either ends.

Run as a script with the parent's number and a command, never imported; needs the standard library only. `supervise` is
the same for a server with stages, and does much besides.

* The parent is gone, `kill -9` included: the process is killed.
* SIGTERM, SIGINT, SIGHUP: it is asked to end, and this script with it.
* It ends by itself: it is started anew, unless it did so ENDS_IN_A_ROW times within SOON_S of its start.
* This script is killed: the kernel kills the process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

POLL_S = 0.2
SOON_S = 5.0
ENDS_IN_A_ROW = 5
GRACE_S = 5.0
STOPS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# From linux/prctl.h
PR_SET_PDEATHSIG = 1


def keep(parent: int, command: list[str]) -> int:
    """Returns 0 if it was stopped or its parent is gone, else the code with which the process ended too often."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {*STOPS, signal.SIGCHLD})
    ends = 0
    while True:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_before_exec)
        code = _watch(parent, process)
        if code is None:
            return 0
        ends = ends + 1 if time.monotonic() < began + SOON_S else 1
        if ends == ENDS_IN_A_ROW:
            return abs(code) or 1
        print(f"histoserve: {command[0]} ended with code {code}, so it is started anew", file=sys.stderr, flush=True)


def _watch(parent: int, process: subprocess.Popen[bytes]) -> int | None:
    """The code with which it ended by itself; None if it was ended here."""
    while True:
        code = process.poll()
        if code is not None:
            return code
        caught = signal.sigtimedwait({*STOPS, signal.SIGCHLD}, POLL_S)
        asked = caught is not None and caught.si_signo in STOPS
        if asked or os.getppid() != parent:
            process.terminate()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return None


def _before_exec() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*STOPS, signal.SIGCHLD})


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
