"""The closed loop: load steps up, replicas follow, queue time returns under its target, load ends, replicas go.

    callers ─▶ Envoy ─▶ replicas ─metrics─▶ Prometheus ─the chart's rules and query─▶ HPA's formula ─▶ replicas

Real are Envoy, Tritons and Prometheus; rules, query and settings are the chart's; the network waits. Kubernetes and
KEDA are acted out, by the published formula (`hpa.py`) and by starting and draining processes as the chart does
(`cluster.py`). All times of the loop are divided by FASTER; a replica starts as fast as it does.
"""

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.cluster import Cluster
from histoserve.benchmark.pressure import MODEL, Callers, request
from histoserve.benchmark.scaling.hpa import UP_PERIOD_S, Autoscaler, Behavior
from histoserve.benchmark.scaling.plot import Moment, draw
from histoserve.benchmark.scaling.prometheus import Prometheus, rendered, watching
from histoserve.benchmark.waiting import MODELS, waiting_repository
from histoserve.client.servers import Servers
from histoserve.client.wire import Server

PICTURE = Path("out") / "scaling.png"
MS_A_TILE = 300
LEAST, MOST = 1, 4
FASTER = 5
SYNC_S = 15.0
"""Between two looks of the autoscaler; KEDA's and Kubernetes' own."""
PHASES = ((20.0, 2), (90.0, 16), (110.0, 0))
"""Seconds, and requests that callers keep under way."""
QUEUE = "histoserve:queue_seconds:max"
DEADLINE_S = 120.0


def run(image: Path | None = None) -> int:
    """Prints and draws the course; 1 if the queue time did not come back, a request failed, or replicas stayed."""
    values = {"scaling": {"prometheus": "http://prometheus:9090", "least": LEAST, "most": MOST}}
    chart = rendered(values)
    scaled = chart["ScaledObject"]["spec"]
    behavior = behavior_of(scaled)
    target = behavior.target * MS_A_TILE / 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = waiting_repository(folder / "repository", MS_A_TILE)
        with (
            Cluster(repository, LEAST, most=MOST, models=MODELS, state=folder / "state") as cluster,
            watching(cluster, chart["PrometheusRule"], FASTER, folder / "prometheus") as prometheus,
        ):
            query = scaled["triggers"][0]["metadata"]["query"]
            moments, callers = course(cluster, prometheus, Autoscaler(behavior), query)
    draw(moments, target, f"The chart's scaling, {FASTER} times as fast; networks of {MS_A_TILE} ms a tile", PICTURE)
    return told(moments, callers, target)


def behavior_of(scaled: dict[str, Any]) -> Behavior:
    """The chart's, FASTER."""
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    [policy] = down["policies"]
    return Behavior(
        least=scaled["minReplicaCount"],
        most=scaled["maxReplicaCount"],
        target=float(scaled["triggers"][0]["metadata"]["threshold"]),
        down_window_s=down["stabilizationWindowSeconds"] / FASTER,
        down_period_s=policy["periodSeconds"] / policy["value"] / FASTER,
        up_period_s=UP_PERIOD_S / FASTER,
    )


def course(
    cluster: Cluster, prometheus: Prometheus, autoscaler: Autoscaler, query: str
) -> tuple[list[Moment], Callers]:
    """All phases, looked at SYNC_S / FASTER apart."""
    servers, arrays = Servers([Server(cluster.address)], DEADLINE_S), request()
    callers = Callers(lambda: servers.infer(MODEL, arrays))
    moments: list[Moment] = []
    wanted, began = len(cluster.replicas), time.monotonic()
    work: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        for seconds, count in PHASES:
            callers.become(count)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                prometheus.watch(cluster)
                now, metric = time.monotonic() - began, prometheus.value(query)
                decided = autoscaler.replicas(now, wanted, metric)
                work += [pool.submit(_grow, cluster) for _ in range(decided - wanted)]
                work += [pool.submit(cluster.drain, cluster.replicas[-1 - each]) for each in range(wanted - decided)]
                wanted = decided
                there = len(cluster.replicas)
                moments.append(Moment(now, count, metric, prometheus.value(QUEUE), wanted, there))
                print(
                    f"{now:5.0f} s  {count:2} requests, {metric} in servers: {there} of {wanted} replicas", flush=True
                )
                time.sleep(SYNC_S / FASTER)
        for each in work:
            each.result()
    return moments, callers


def _grow(cluster: Cluster) -> None:
    cluster.add()


def told(moments: Sequence[Moment], callers: Callers, target: float) -> int:
    """Prints what the course came to."""
    step = next(each.at for each in moments if each.callers == PHASES[1][1])
    end = next(each.at for each in moments if each.at > step and not each.callers)
    under_load = [each for each in moments if step <= each.at < end]
    worst = max((each.queue or 0 for each in under_load), default=0.0)
    recovered = under_for_good(under_load, target)
    full = next((each.at - step for each in under_load if each.there == MOST), None)
    gone = next((each.at - end for each in moments if each.at > end and each.there == LEAST), None)
    table = Table("what", "seconds", title=f"load from {PHASES[0][1]} to {PHASES[1][1]} requests and to none")
    table.add_row(f"{MOST} replicas there, after the step", _said(full))
    table.add_row("longest mean queue time", f"{worst:.2f}")
    table.add_row(f"queue time under {target:g} s for good, after the step", _said(recovered))
    table.add_row(f"{LEAST} replica left, after the load's end", _said(gone))
    Console().print(table)
    answers = callers.answers
    print(f"{len(answers.times)} tiles answered, {dict(answers.failures) or 'none'} failed; {PICTURE}")
    return 0 if None not in (recovered, gone, full) and not answers.failures else 1


def under_for_good(moments: Sequence[Moment], target: float) -> float | None:
    """Seconds after the first moment from which on the queue time is under the target; 0 if it always is, None if it
    is not at the last one."""
    over = [place for place, each in enumerate(moments) if (each.queue or 0) > target]
    if not over:
        return 0.0
    later = moments[over[-1] + 1 :]
    return later[0].at - moments[0].at if later else None


def _said(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f}"
