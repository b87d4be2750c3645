"""What servers leave on this machine, and what of it belongs to none that still runs.

    <state>/<id>.log ◂─link─ <folder>/log     locked by the supervisor, the server and its stages: it is their output
    /dev/shm/<id>.lock                        locked by the supervisor, for the stages' regions /dev/shm/<id>-*

A lock ends with the last process that holds it, `kill -9` included. So the kernel says who still runs, where a process
number might meanwhile be another's, or mean another container's.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from histoserve.deploy.local.supervise import SHARED_MEMORY

KEPT_LOGS = 20
"""Of servers that have ended; those of running ones are kept besides."""


def hold(path: Path) -> BinaryIO:
    """A new file, locked for as long as a process has this opening of it; children may inherit it."""
    file = path.open("xb")
    # A network folder may know no locks. Then nobody can take this one either, and the file counts as held.
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def is_abandoned(path: Path) -> bool:
    """Whether `path` was held by a process that has ended; False if that cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def sweep(state: Path, bases: Iterable[Path]) -> None:
    """Remove what servers left whose supervisors were killed, and all but the newest of ended servers' logs.

    `bases` are the folders in which run folders may lie.
    """
    for lock in SHARED_MEMORY.glob("histoserve-*.lock"):
        if is_abandoned(lock):
            for left in [*SHARED_MEMORY.glob(f"{lock.stem}-*"), lock]:
                with suppress(OSError):
                    left.unlink()
    for base in bases:
        for link in base.glob("histoserve-*/log"):
            if link.is_symlink() and link.lstat().st_uid == os.getuid() and is_abandoned(link):
                shutil.rmtree(link.parent, ignore_errors=True)
    logs = [log for log in state.glob("histoserve-*.log") if is_abandoned(log)]
    for old in sorted(logs, key=_age)[: -KEPT_LOGS + 1]:
        with suppress(OSError):
            old.unlink()


def _age(path: Path) -> float:
    # Another start may have removed it.
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
