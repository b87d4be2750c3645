"""Several equal Tritons on this machine, and Envoy before them where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from histoserve.deploy.local import envoy
from histoserve.deploy.local.envoy import LocalEnvoy
from histoserve.deploy.local.ports import ANY, OPTIONS, Ports, chosen
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

LAST_PORT = 65535


class LocalReplicas:
    """`count` servers of one repository; they end with their `with` block or its process.

    `ports`: gRPC is Envoy's, or without one the first server's; HTTP and metrics are the first server's, and each
    further one has the next. What is None is free ones. Without `balanced` no Envoy is started, installed or not. The
    others are as LocalTriton's.
    """

    def __init__(
        self,
        repository: Path,
        count: int,
        *,
        models: Sequence[str] | None = None,
        ports: Ports = ANY,
        environment: Mapping[str, str] | None = None,
        state: Path | None = None,
        balanced: bool = True,
    ) -> None:
        _require_apart(ports, count)
        self._state = state
        self._port = ports.grpc
        self._balanced = balanced and envoy.installed() is not None
        self.servers = [
            LocalTriton(repository, models=models, ports=self._of(ports, number), environment=environment, state=state)
            for number in range(count)
        ]
        self.balancer: LocalEnvoy | None = None
        """None where Envoy is not installed or not wanted: the client then balances over all of `addresses`."""

    @property
    def addresses(self) -> list[str]:
        """What a client is to be told as `--server`; there once they were started."""
        return [self.balancer.grpc] if self.balancer else [server.grpc for server in self.servers]

    def __enter__(self) -> LocalReplicas:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start them and return when all can take requests."""
        first, *others = self.servers
        # A port that is taken is told before anything starts.
        for ports in (Ports(grpc=self._port), *(server.ports for server in self.servers)):
            chosen(ports)
        with ThreadPoolExecutor(len(self.servers)) as pool:
            try:
                # Alone: it may have to compile the stages, and what is wrong with the repository is said once.
                first.start()
                list(pool.map(LocalTriton.start, others))
                if self._balanced:
                    self.balancer = LocalEnvoy(
                        [_port(each) for each in self.servers], port=self._port, state=self._state
                    )
                    self.balancer.start()
            except BaseException:
                # Those that still start hear of it in their threads.
                self.stop()
                pool.shutdown()
                self.stop()
                raise

    def stop(self, *, graceful: bool = False) -> None:
        """End them; `graceful`: after the requests in flight."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(lambda server: server.stop(graceful=graceful), self.servers))
        # Last: answers go through it.
        if self.balancer:
            self.balancer.stop()

    def _of(self, ports: Ports, number: int) -> Ports:
        grpc = ports.grpc if number == 0 and not self._balanced else None
        http, metrics = (port and port + number for port in (ports.http, ports.metrics))
        return Ports(grpc, http, metrics)


def _require_apart(ports: Ports, count: int) -> None:
    """Raises LocalTritonError where the ports of so many servers would meet, or are none."""
    runs = {
        OPTIONS[service]: range(port, port + (1 if service == "grpc" else count))
        for service, port in asdict(ports).items()
        if port is not None
    }
    for option, run in runs.items():
        if run[-1] > LAST_PORT:
            raise LocalTritonError(
                f"{option} {run[0]}: {count} replicas need as many ports, and the last is {LAST_PORT}"
            )
        for other, ports_of_other in runs.items():
            if other < option and set(run) & set(ports_of_other):
                raise LocalTritonError(
                    f"{other} {ports_of_other[0]} and {option} {run[0]} meet: {count} replicas have as many of each "
                    "in a row; choose them further apart"
                )


def _port(server: LocalTriton) -> int:
    return int(server.grpc.rpartition(":")[2])
