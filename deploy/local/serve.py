"""`histoserve serve`: Triton in the foreground until it is told to stop."""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from histoserve.deploy.local.envoy import INSTALL
from histoserve.deploy.local.models import models_for
from histoserve.deploy.local.ports import Ports
from histoserve.deploy.local.replicas import LocalReplicas
from histoserve.deploy.local.runtimes import in_lines
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

GRPC_PORT = 8001
"""Triton's own default, and so that of most clients."""
POLL_S = 0.5


def serve(
    repository: Path | None = None,
    port: int | None = None,
    http_port: int | None = None,
    metrics_port: int | None = None,
    pipelines: Sequence[str] = (),
    replicas: int = 1,
    tried: Callable[[str, Path], Iterator[str]] | None = None,
) -> int:
    """Serve `pipelines` (default: all) of `repository` (default: the installed one) until Ctrl-C or SIGTERM.

    The gRPC `port` is 8001 unless given, the others are free ones. All addresses are printed once it is ready, and once
    each server was `tried`: that gets its address and the repository, gives lines to print, and ends all by ValueError.
    Returns the exit code: 0 if it was told to stop, 1 if a server did not start, or none is left.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        ports = Ports(port or GRPC_PORT, http_port, metrics_port)
        repository = repository or installed_repository()
        models = models_for(dict.fromkeys(pipelines), repository) if pipelines else None
        with LocalReplicas(repository, replicas, models=models, ports=ports, balanced=replicas > 1) as served:
            for line in _told(tried, served, repository) if tried else ():
                print(line, flush=True)
            print(f"models   {', '.join(served.servers[0].models)}\n{_places(served)}\nready; Ctrl-C stops", flush=True)
            try:
                return _watch(served)
            except KeyboardInterrupt:
                served.stop(graceful=True)
                return 0
    except (LocalTritonError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(tried: Callable[[str, Path], Iterator[str]], served: LocalReplicas, repository: Path) -> Iterator[str]:
    for server in served.servers:
        yield from tried(server.grpc, repository)


def _places(served: LocalReplicas) -> str:
    """Where they answer, for clients first."""
    if len(served.servers) == 1:
        return _of_one(served.servers[0])
    lines = [line for server in served.servers for line in ("", "a replica", _of_one(server))]
    if served.balancer is None:
        client = " ".join(f"--server {address}" for address in served.addresses)
        return "\n".join([f"clients  {client}   (or one for all, by Envoy: {INSTALL})", *lines])
    observe = served.balancer.observe
    of_envoy = [
        f"health   {observe}/replicas",
        f"metrics  {observe}/stats/prometheus",
        f"log      {served.balancer.log}",
    ]
    return "\n".join([f"gRPC     {served.balancer.grpc}", *of_envoy, *lines])


def _of_one(server: LocalTriton) -> str:
    health = f"health   http://{server.http}/v2/health/ready\nmetrics  http://{server.metrics}/metrics"
    lines = [f"gRPC     {server.grpc}", f"HTTP     http://{server.http}", health, f"log      {server.log}"]
    return "\n".join([*lines, *in_lines(server.log)])


def _watch(served: LocalReplicas) -> int:
    """Until none is left, or what stands before them is gone; returns 1."""
    left = list(served.servers)
    while True:
        for server in list(left):
            code = server.wait(POLL_S)
            if code is not None:
                print(f"tritonserver died with code {code}; its log is {server.log}", file=sys.stderr, flush=True)
                left.remove(server)
        if served.balancer and served.balancer.ended() is not None:
            print(f"Envoy ended; its log is {served.balancer.log}", file=sys.stderr)
            return 1
        if not left:
            return 1


def installed_repository() -> Path:
    """The model repository that was installed with this package."""
    # Found, not imported: an import would leave a __pycache__ among the models.
    spec = importlib.util.find_spec("histoserve.model_repository")
    if spec is None or not spec.submodule_search_locations:
        raise LocalTritonError("this installation has no model repository: name one with --repository")
    return Path(next(iter(spec.submodule_search_locations)))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
