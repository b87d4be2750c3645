"""A real Triton on loopback for as long as a `with` block lasts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from histoserve.deploy.local import folders, supervise, traces
from histoserve.deploy.local.failure import failure_message
from histoserve.deploy.local.ports import LOOPBACK, free_ports, require_free
from histoserve.deploy.local.supervise import Plan
from histoserve.deploy.local.wheel import LocalTritonError, TritonWheel, check_stub

__all__ = ["LocalTriton", "LocalTritonError"]

READY_WITHIN_S = 300.0
"""A first start compiles the stages: a minute, more on a loaded machine. An early end is noticed at once."""
PINGS_MS = 1000
"""How often a client may ask whether the connection still stands, with or without a request in flight.

A slow stage answers nothing for minutes, and gRPC's servers cut off who asks more than once in five of them.
"""
START_ATTEMPTS = 3
STEP = re.compile(r'model_name:\s*"([^"]+)"')
"""A step of an ensemble, in its config."""


class LocalTriton:
    """One tritonserver with the models of a repository; ends with its `with` block or its process, however that ends.

    `models` names the models to load (default: every folder of `repository` with a `config.pbtxt`), an ensemble brings
    its steps. `environment` is added to that of the server and its stages. `state` is where the log is kept (default:
    `$XDG_STATE_HOME/histoserve`). Starting raises LocalTritonError, with the end of the log, if a model does not load
    or the server is not ready within `timeout_s` seconds. Any number may run at once.
    """

    def __init__(
        self,
        repository: Path,
        *,
        models: Sequence[str] | None = None,
        grpc_port: int | None = None,
        environment: Mapping[str, str] | None = None,
        state: Path | None = None,
        timeout_s: float = READY_WITHIN_S,
    ) -> None:
        self.repository = Path(repository).resolve()
        self.models = list(models) if models is not None else models_of(self.repository)
        self.timeout_s = timeout_s
        self._grpc_port = grpc_port
        self._environment = dict(environment or {})
        self._state = (Path(state) if state is not None else default_state()).resolve()
        self._supervisor: subprocess.Popen[bytes] | None = None

    grpc: str
    """Address of the gRPC service, "127.0.0.1:port"; this one and the next three are there once it was started."""
    http: str
    metrics: str
    log: Path
    """What the server, the stages and this project's supervisor wrote; kept after the end."""

    @property
    def pid(self) -> int:
        """Process number of the tritonserver; another one after it had to be started anew."""
        return int((self._folder / "pid").read_text())

    def __enter__(self) -> LocalTriton:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it can take requests."""
        for attempt in range(START_ATTEMPTS):
            try:
                self._launch()
                self._await_ready()
                return
            except LocalTritonError as error:
                self.stop()
                # Somebody else may take a port between its choice and its use.
                if "already in use" not in str(error) or attempt == START_ATTEMPTS - 1:
                    raise
            except BaseException:
                self.stop()
                raise

    def stop(self, *, graceful: bool = False) -> None:
        """End the server and its stages, if they run; `graceful`: after the requests in flight."""
        if self._supervisor is None:
            return
        self._supervisor.send_signal(signal.SIGTERM if graceful else signal.SIGINT)
        try:
            self._supervisor.wait()
        except BaseException:
            # An impatient second Ctrl-C.
            self._supervisor.send_signal(signal.SIGINT)
            self._supervisor.wait()
            raise
        finally:
            # For a supervisor that was killed, or stopped before it could begin.
            supervise.remove_traces(self._plan)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end of the server; returns its exit code (128 + n for signal n), None if it still runs."""
        assert self._supervisor is not None, "wait() before start()"
        try:
            return self._supervisor.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _launch(self) -> None:
        if self._grpc_port is not None:
            require_free(self._grpc_port)
        folders.require_plain_names(self.models, self.repository)
        wheel = TritonWheel.installed()
        environment = {**wheel.environment(os.environ), **self._environment}
        server_id = f"histoserve-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.log = self._state / f"{server_id}.log"
        with self._prepared(wheel, server_id) as log, _holding(supervise.shared_memory_lock(server_id)) as lock:
            check_stub(self._folder / "backends" / "python" / wheel.stub.name, environment)
            ports = free_ports(3)
            ports[0] = self._grpc_port or ports[0]
            self.grpc, self.http, self.metrics = (f"{LOOPBACK}:{port}" for port in ports)
            self._plan = Plan(
                parent=os.getpid(),
                command=[str(wheel.server), *self._arguments(server_id, ports)],
                server_id=server_id,
                http=self.http,
                metrics=self.metrics,
                folder=str(self._folder),
            )
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", supervise.__file__, self._plan.to_json()],
                # Not the caller's folder: the stages have theirs on their import path.
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # It never uses the lock, only has it until it ends.
                pass_fds=[lock.fileno()],
                # So that Ctrl-C in a terminal reaches the parent only, which then stops the server in good order.
                start_new_session=True,
            )

    @contextmanager
    def _prepared(self, wheel: TritonWheel, server_id: str) -> Iterator[BinaryIO]:
        """The log, opened, beside a filled run folder; neither is left if the block fails."""
        self._folder = self._state
        with ExitStack() as undo:
            try:
                self._state.mkdir(parents=True, exist_ok=True)
                traces.sweep(self._state, folders.bases(self._state))
                log = undo.enter_context(traces.hold(self.log))
                undo.callback(self.log.unlink)
                self._folder = folders.make_run_folder(self._state, server_id)
                undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
                (self._folder / "log").symlink_to(self.log)
                wheel.assemble_backends(self._folder / "backends")
                self._served = folders.plain_repository(self.repository, self._folder)
            except OSError as error:
                raise LocalTritonError(
                    f"cannot keep the server's files in {self._folder} ({error.strerror}): make room there, or set "
                    "XDG_STATE_HOME to another folder"
                ) from error
            yield log
            undo.pop_all()
            log.close()

    def _arguments(self, server_id: str, ports: Sequence[int]) -> list[str]:
        backends = self._folder / "backends"
        services = zip(("grpc", "http", "metrics"), ports, strict=True)
        return [
            f"--id={server_id}",
            f"--model-repository={self._served}",
            f"--backend-directory={backends}",
            # All three: each service would listen on every interface otherwise.
            *(flag for name, port in services for flag in (f"--{name}-address={LOOPBACK}", f"--{name}-port={port}")),
            "--grpc-keepalive-permit-without-calls=true",
            f"--grpc-http2-min-recv-ping-interval-without-data={PINGS_MS}",
            # Its measuring writes a log of its own into /var/log.
            "--allow-gpu-metrics=false",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            # The configs are the contract and complete; guessing costs one more process per stage at each start.
            "--disable-auto-complete-config",
            *(f"--backend-config={name},shm-region-prefix-name={server_id}-" for name in _names_in(backends)),
        ]

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.timeout_s
        while not (self._folder / "ready").exists():
            code = self.wait(timeout_s=0.05)
            if code is not None:
                raise LocalTritonError(self._failure(f"tritonserver ended with code {code} before it was ready"))
            if time.monotonic() > deadline:
                raise LocalTritonError(self._failure(f"tritonserver was not ready within {self.timeout_s:g} s"))

    def _failure(self, headline: str) -> str:
        return failure_message(headline, self.repository, self.log)


def models_of(repository: Path) -> list[str]:
    """The models that a repository holds whole: folders with a `config.pbtxt`, ensembles only with all of their steps.

    An ensemble whose network was not exported yet is left out, so that the other pipelines can be served.
    """
    steps = {path.parent.name: STEP.findall(path.read_text()) for path in repository.glob("*/config.pbtxt")}
    if not steps:
        raise LocalTritonError(f"no model in {repository}: expected folders with a config.pbtxt in each")
    return sorted(name for name, parts in steps.items() if all(part in steps for part in parts))


def default_state() -> Path:
    """The folder for this user's server logs."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "histoserve"


@contextmanager
def _holding(lock: Path) -> Iterator[BinaryIO]:
    try:
        file = traces.hold(lock)
    except OSError as error:
        raise LocalTritonError(
            f"cannot write to {lock.parent} ({error.strerror}): the server and its stages exchange tensors there"
        ) from error
    with file:
        try:
            yield file
        except BaseException:
            lock.unlink(missing_ok=True)
            raise


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
