"""A real Triton on loopback for as long as a `with` block lasts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from histoserve.deploy.local import supervise
from histoserve.deploy.local.ports import LOOPBACK, free_ports, require_free
from histoserve.deploy.local.supervise import Plan
from histoserve.deploy.local.wheel import LocalTritonError, TritonWheel, check_stub

__all__ = ["LocalTriton", "LocalTritonError"]

READY_WITHIN_S = 300.0
"""A first start compiles the stages: a minute, more on a loaded machine. An early end is noticed at once."""
KEPT_LOGS = 20
SHOWN_LOG_LINES = 30
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
        self._state = Path(state).resolve() if state is not None else default_state()
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
        wheel = TritonWheel.installed()
        environment = {**wheel.environment(os.environ), **self._environment}
        server_id = f"histoserve-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._folder = self._state / server_id
        self.log = self._state / f"{server_id}.log"
        self._make_state()
        backends = wheel.assemble_backends(self._folder / "backends")
        check_stub(backends / "python" / wheel.stub.name, environment)
        ports = free_ports(3)
        ports[0] = self._grpc_port or ports[0]
        self.grpc, self.http, self.metrics = (f"{LOOPBACK}:{port}" for port in ports)
        self._plan = Plan(
            parent=os.getpid(),
            command=[str(wheel.server), *self._arguments(server_id, backends, ports)],
            server_id=server_id,
            http=self.http,
            metrics=self.metrics,
            folder=str(self._folder),
            shm_prefix=f"{server_id}-",
        )
        with self.log.open("wb") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", supervise.__file__, self._plan.to_json()],
                # Not the caller's folder: the stages have theirs on their import path.
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # So that Ctrl-C in a terminal reaches the parent only, which then stops the server in good order.
                start_new_session=True,
            )

    def _arguments(self, server_id: str, backends: Path, ports: Sequence[int]) -> list[str]:
        services = zip(("grpc", "http", "metrics"), ports, strict=True)
        return [
            f"--id={server_id}",
            f"--model-repository={self.repository}",
            f"--backend-directory={backends}",
            # All three: each service would listen on every interface otherwise.
            *(flag for name, port in services for flag in (f"--{name}-address={LOOPBACK}", f"--{name}-port={port}")),
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            # The configs are the contract and complete; guessing costs one more process per stage at each start.
            "--disable-auto-complete-config",
            *(f"--backend-config={name},shm-region-prefix-name={server_id}-" for name in _names_in(backends)),
        ]

    def _make_state(self) -> None:
        try:
            self._folder.mkdir(parents=True)
        except OSError as error:
            raise LocalTritonError(
                f"cannot keep the server's log in {self._state} ({error.strerror}): set XDG_STATE_HOME to a folder "
                "that can be written"
            ) from error
        logs = sorted(self._state.glob("histoserve-*.log"), key=lambda path: path.stat().st_mtime)
        for old in logs[: -KEPT_LOGS + 1]:
            old.unlink(missing_ok=True)

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


def failure_message(headline: str, repository: Path, log: Path) -> str:
    """What failed, from the log: the errors it reports, the models still loading, and its last lines."""
    text = log.read_text(errors="replace")
    loading = set(re.findall(r'"loading: ([^:"]+):\d+"', text))
    settled = set(re.findall(r"(?:successfully loaded|failed to load) '([^']+)'", text))
    errors = [
        error.replace("\\n", "\n")
        for error in re.findall(r'^E\d{4} .*?\] "(.*)"\s*$', text, re.MULTILINE)
        # Said by every server on a machine without a GPU.
        if "CudaDriverHelper" not in error and "CUDA driver version" not in error
    ]
    # Tables repeat what the errors say, in lines of 200 characters.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("|", "+-"))]
    return "\n".join(
        [
            f"{headline} (model repository {repository})",
            *errors,
            *(f"still loading: {model}" for model in sorted(loading - settled)),
            f"--- end of {log}:",
            *lines[-SHOWN_LOG_LINES:],
        ]
    )


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
