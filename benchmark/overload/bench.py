"""Four times the tiles that two replicas take, for a minute: by callers that never slow down, and by ours."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.cluster import Cluster
from histoserve.benchmark.memory.processes import held_kib
from histoserve.benchmark.pressure import MODEL, Answers, Callers, arrive, request
from histoserve.benchmark.waiting import MODELS, waiting_repository
from histoserve.client.servers import Servers
from histoserve.client.wire import Server

TARGET = 0.8
"""Of what they take when just enough is asked."""
REPLICAS, TIMES = 2, 4
MS_A_TILE = 400
CALLERS = 4
"""Of a replica, where its capacity is measured."""
CAPACITY_S, OVERLOAD_S = 15.0, 60.0
DEADLINE_S = 20.0
"""Of each request; a caller that goes away then has cost work for nothing."""
EVERY_S = 0.5
MOST_MIB = 4096
"""Of all servers' processes and Envoy together."""


@dataclass(frozen=True)
class Overload:
    """One kind of callers."""

    name: str
    answers: Answers
    goodput: float
    """Answers a second, after a start of DEADLINE_S at most."""
    peak_mib: float
    """Of servers and Envoy."""
    restarts: int


def run(image: Path | None = None) -> int:
    """Prints what was answered, what became of the rest, and memory; 1 if that misses a target, or something died."""
    with (
        tempfile.TemporaryDirectory() as name,
        Cluster(
            waiting_repository(Path(name) / "repository", MS_A_TILE), REPLICAS, models=MODELS, state=Path(name)
        ) as cluster,
    ):
        cluster.wait_until_balanced()
        capacity = capacity_of(cluster, CAPACITY_S)
        overloads = [overload(cluster, polite, capacity, OVERLOAD_S) for polite in (False, True)]
    table = Table("callers", "asked", "answered", "goodput, tiles/s", "of capacity", "the rest", "peak, MiB", "deaths")
    table.title = f"{TIMES} times what {REPLICAS} replicas take ({capacity:.2f} tiles/s), {OVERLOAD_S:g} s"
    for each in overloads:
        answered, failures = len(each.answers.times), each.answers.failures
        rest = ", ".join(f"{count} {kind}" for kind, count in failures.most_common()) or "none"
        counts = (str(answered + failures.total()), str(answered))
        share = f"{each.goodput / capacity:.2f}"
        table.add_row(
            each.name, *counts, f"{each.goodput:.2f}", share, rest, f"{each.peak_mib:.0f}", str(each.restarts)
        )
    table.caption = f"target: ≥ {TARGET} of capacity, at most {MOST_MIB} MiB, no death; deadline {DEADLINE_S:g} s"
    Console().print(table)
    return 0 if all(well(each, capacity) for each in overloads) else 1


def well(each: Overload, capacity: float) -> bool:
    """Whether it meets the targets."""
    return each.goodput >= TARGET * capacity and each.peak_mib <= MOST_MIB and not each.restarts


def capacity_of(cluster: Cluster, seconds: float) -> float:
    """Tiles a second, with as many requests as the networks need to be at work always."""
    server, arrays = Server(cluster.address), request()
    callers = Callers(lambda: server.infer(MODEL, arrays, 120))
    callers.become(CALLERS * len(cluster.replicas))
    time.sleep(seconds)
    callers.become(0)
    return callers.answers.rate(2 * MS_A_TILE / 1000, seconds)


def overload(cluster: Cluster, polite: bool, capacity: float, seconds: float) -> Overload:
    """`polite`: our client, which waits and tries again until the deadline; else each request is sent once."""
    arrays, before = request(), [replica.pid for replica in cluster.replicas]
    call: Callable[[], object]
    if polite:
        servers = Servers([Server(cluster.address)], DEADLINE_S)
        call = lambda: servers.infer(MODEL, arrays)  # noqa: E731
    else:
        server = Server(cluster.address)
        call = lambda: server.infer(MODEL, arrays, DEADLINE_S)  # noqa: E731
    with memory(cluster) as held:
        answers = arrive(call, TIMES * capacity, seconds)
    restarts = sum(replica.pid != pid for replica, pid in zip(cluster.replicas, before, strict=True))
    # From the time on when the queues are as long as they get.
    start = min(DEADLINE_S, seconds / 3)
    goodput = sum(start <= each <= seconds for each in answers.times) / (seconds - start)
    name = "ours" if polite else "that never slow down"
    return Overload(name, answers, goodput, max(held, default=0) / 1024, restarts)


@contextmanager
def memory(cluster: Cluster) -> Iterator[list[float]]:
    """KiB that servers and Envoy held, from time to time during the block."""
    held: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(EVERY_S):
            held.append(sum((held_kib(pid) for pid in _processes(cluster)), Counter[str]()).total())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield held
    finally:
        over.set()
        sampler.join()


def _processes(cluster: Cluster) -> list[int]:
    return [cluster.envoy, *(replica.pid for replica in cluster.replicas)]
