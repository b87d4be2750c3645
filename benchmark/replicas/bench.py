"""Tiles per second of 1, 2 and 4 replicas behind Envoy, each with a network that waits as a GPU of its own would."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.cluster import Cluster
from histoserve.benchmark.pressure import MODEL, Callers, request
from histoserve.benchmark.processor import children, processor_seconds
from histoserve.benchmark.waiting import MODELS, waiting_repository
from histoserve.client.wire import Server
from histoserve.deploy.local.envoy import THREADS

TARGET = 0.95
"""Of one replica's tiles, for each of several."""
COUNTS = (1, 2, 4)
MS_A_TILE = 600
CALLERS = 4
"""Of a replica: while it does one tile, the next ones are decoded; batches, answered all at once, would blur rates."""
WARM_S, MEASURED_S = 5.0, 25.0
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Spent:
    """Milliseconds of a processor for each tile."""

    client: float
    envoy: float
    servers: float


def run(image: Path | None = None) -> int:
    """Prints tiles/s and what a tile costs of a processor; 1 under the target."""
    with tempfile.TemporaryDirectory() as name:
        repository = waiting_repository(Path(name) / "repository", MS_A_TILE, batch=1)
        with Cluster(repository, COUNTS[0], most=COUNTS[-1], models=MODELS, state=Path(name) / "state") as cluster:
            rates, spent = zip(*(measured(cluster, count) for count in COUNTS), strict=True)
    table = Table("replicas", "tiles/s", "a replica", "of one alone", "client, ms a tile", "Envoy", "servers")
    table.title = f"a network of {MS_A_TILE} ms a tile in each, {CALLERS} requests of one tile a replica"
    shares = [rate / count / rates[0] for rate, count in zip(rates, COUNTS, strict=True)]
    for count, rate, share, each in zip(COUNTS, rates, shares, spent, strict=True):
        costs = (f"{ms:.1f}" for ms in (each.client, each.envoy, each.servers))
        table.add_row(str(count), f"{rate:.2f}", f"{rate / count:.2f}", f"{share:.3f}", *costs)
    table.caption = f"target: ≥ {TARGET} of one alone"
    Console().print(table)
    for line in limits(spent[-1], rates[0]):
        print(line)
    return 0 if min(shares) >= TARGET else 1


def limits(spent: Spent, rate: float) -> list[str]:
    """Where something other than the networks decides, by what a tile costs of a processor."""
    return [
        f"{name}: full at {1000 * processors / ms:.0f} tiles/s, {1000 * processors / ms / rate:.0f} such replicas"
        for name, ms, processors in (
            ("Envoy, a processor", spent.envoy, 1),
            (f"Envoy, its {THREADS} threads with a processor each", spent.envoy, THREADS),
            ("a client of one process, with a processor", spent.client, 1),
            ("decoding and finding nuclei, a processor for all replicas", spent.servers, 1),
        )
    ]


def measured(cluster: Cluster, count: int) -> tuple[float, Spent]:
    """Tiles a second of so many replicas."""
    while len(cluster.replicas) < count:
        cluster.add()
    cluster.wait_until_balanced()
    server, arrays = Server(cluster.address), request()
    callers = Callers(lambda: server.infer(MODEL, arrays, TIMEOUT_S))
    callers.become(CALLERS * count)
    time.sleep(WARM_S)
    before, answered = _spent(cluster), len(callers.answers.times)
    time.sleep(MEASURED_S)
    after, tiles = _spent(cluster), len(callers.answers.times) - answered
    callers.become(0)
    if callers.answers.failures:
        raise OSError(f"requests failed: {dict(callers.answers.failures)}")
    ms = [1000 * (new - old) / tiles for new, old in zip(after, before, strict=True)]
    return callers.answers.rate(WARM_S, WARM_S + MEASURED_S), Spent(*ms)


def _spent(cluster: Cluster) -> tuple[float, float, float]:
    servers = [pid for replica in cluster.replicas for pid in (replica.pid, *children(replica.pid))]
    return time.process_time(), processor_seconds([cluster.envoy]), processor_seconds(servers)
