"""Load, replicas and queue time over time, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Moment:
    """What was seen, `at` seconds after the start."""

    at: float
    callers: int
    in_servers: float | None
    """Requests, as Prometheus records them."""
    queue: float | None
    """Seconds, likewise."""
    wanted: int
    there: int
    """Replicas that requests are sent to."""


def draw(moments: Sequence[Moment], target: float, title: str, path: Path) -> None:
    """Three curves below each other, with the target of the queue time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (load, replicas, queue) = pyplot.subplots(3, 1, sharex=True, figsize=(9, 7), layout="constrained")
    at = [each.at for each in moments]
    load.step(at, [each.callers for each in moments], where="post", label="requests that callers keep under way")
    load.plot(at, [_number(each.in_servers) for each in moments], label="histoserve:requests_in_servers:sum")
    replicas.step(at, [each.wanted for each in moments], where="post", linestyle="--", label="replicas wanted")
    replicas.step(at, [each.there for each in moments], where="post", label="replicas there")
    queue.plot(at, [_number(each.queue) for each in moments], label="histoserve:queue_seconds:max")
    queue.axhline(target, color="grey", linestyle=":", label="target")
    for axis, unit in ((load, "requests"), (replicas, "replicas"), (queue, "s")):
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper right", fontsize="small")
    queue.set_xlabel("s")
    load.set_title(title, fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
