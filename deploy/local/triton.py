"""A real Triton on loopback for as long as a `with` block lasts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from histoserve.deploy.local import folders, supervise
from histoserve.deploy.local.command import arguments
from histoserve.deploy.local.failure import failure_message
from histoserve.deploy.local.models import models_of
from histoserve.deploy.local.ports import ANY, LOOPBACK, Ports, chosen
from histoserve.deploy.local.prepare import default_state, prepared
from histoserve.deploy.local.supervise import Plan
from histoserve.deploy.local.wheel import LocalTritonError, TritonWheel, check_stub

__all__ = ["LocalTriton", "LocalTritonError"]

READY_WITHIN_S = 300.0
"""A first start compiles the stages: a minute, more on a loaded machine. An early end is noticed at once."""
START_ATTEMPTS = 3


class LocalTriton:
    """One tritonserver with the models of a repository; ends with its `with` block or its process, however that ends.

    `models` names the models to load (default: every folder of `repository` with a `config.pbtxt`), an ensemble brings
    its steps. `ports` names those that must be certain ones. `environment` is added to that of the server and its
    stages. `state` is where the log is kept (default: `$XDG_STATE_HOME/histoserve`). Starting raises LocalTritonError,
    with the end of the log, if a model does not load or the server is not ready within `timeout_s` seconds. Any number
    may run at once. `host` is another address of loopback, for several servers with one port.
    """

    def __init__(
        self,
        repository: Path,
        *,
        models: Sequence[str] | None = None,
        ports: Ports = ANY,
        environment: Mapping[str, str] | None = None,
        state: Path | None = None,
        timeout_s: float = READY_WITHIN_S,
        host: str = LOOPBACK,
    ) -> None:
        self.repository = Path(repository).resolve()
        self.models = list(models) if models is not None else models_of(self.repository)
        self.timeout_s = timeout_s
        self.ports = ports
        self._host = host
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
        # Before all else, which would be tried anew for a port that is taken.
        chosen(self.ports)
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
        folders.require_plain_names(self.models, self.repository)
        wheel = TritonWheel.installed()
        environment = {**wheel.environment(os.environ), **self._environment}
        server_id = f"histoserve-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.log = self._state / f"{server_id}.log"
        with prepared(wheel, self.repository, self.log, server_id) as run:
            self._folder = run.folder
            check_stub(run.backends / "python" / wheel.stub.name, environment)
            ports = chosen(self.ports)
            self.grpc, self.http, self.metrics = (f"{self._host}:{port}" for port in ports.values())
            self._plan = Plan(
                parent=os.getpid(),
                command=[
                    str(wheel.server),
                    *arguments(server_id, run.repository, run.backends, self.models, ports, self._host),
                ],
                server_id=server_id,
                http=self.http,
                metrics=self.metrics,
                folder=str(run.folder),
            )
            with _held_back(supervise.WATCHED):
                self._supervisor = subprocess.Popen(
                    [sys.executable, "-I", "-S", supervise.__file__, self._plan.to_json()],
                    # Not the caller's folder: the stages have theirs on their import path.
                    cwd=run.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=run.log,
                    stderr=run.log,
                    pass_fds=[run.lock.fileno()],
                    # So that Ctrl-C in a terminal reaches the parent only, which then stops the server in good order.
                    start_new_session=True,
                )

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


@contextmanager
def _held_back(signals: Iterable[int]) -> Iterator[None]:
    """Signals that come during the block are delivered after it; a process started in it has them held back.

    A supervisor that is stopped before it listens would miss that else, where a shell lets background processes ignore
    Ctrl-C.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
