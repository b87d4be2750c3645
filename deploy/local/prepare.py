"""The files and locks of one run of a server, there before it starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from histoserve.deploy.local import folders, supervise, traces
from histoserve.deploy.local.wheel import LocalTritonError, TritonWheel


@dataclass(frozen=True)
class Run:
    """What the server's processes get."""

    folder: Path
    backends: Path
    repository: Path
    """Under a name that Triton's shell can read."""
    log: BinaryIO
    lock: BinaryIO
    """Of the shared memory; the processes never use it, only have it until they end."""


def default_state() -> Path:
    """The folder for this user's server logs."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "histoserve"


@contextmanager
def prepared(wheel: TritonWheel, repository: Path, log: Path, server_id: str) -> Iterator[Run]:
    """A filled run folder, and `log` and lock, open during the block; none of them is left if the block fails.

    Raises LocalTritonError where they cannot be kept.
    """
    state = folder = log.parent
    with ExitStack() as undo, ExitStack() as opened:
        try:
            state.mkdir(parents=True, exist_ok=True)
            traces.sweep(state, folders.bases(state))
            log_file = opened.enter_context(traces.hold(log))
            undo.callback(log.unlink)
            folder = folders.make_run_folder(state, server_id)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            (folder / "log").symlink_to(log)
            backends = wheel.assemble_backends(folder / "backends")
            served = folders.plain_repository(repository, folder)
        except OSError as error:
            raise LocalTritonError(
                f"cannot keep the server's files in {folder} ({error.strerror}): make room there, or set "
                "XDG_STATE_HOME to another folder"
            ) from error
        lock = supervise.shared_memory_lock(server_id)
        lock_file = opened.enter_context(_held(lock))
        undo.callback(lock.unlink, missing_ok=True)
        yield Run(folder, backends, served, log_file, lock_file)
        undo.pop_all()


def _held(lock: Path) -> BinaryIO:
    try:
        return traces.hold(lock)
    except OSError as error:
        raise LocalTritonError(
            f"cannot write to {lock.parent} ({error.strerror}): the server and its stages exchange tensors there"
        ) from error
