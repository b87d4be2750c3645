"""How many replicas Kubernetes' HorizontalPodAutoscaler wants, by its published algorithm; no Kubernetes is here.

    wanted = ceil(metric / target)            for a metric of all replicas together (AverageValue)
    no change within 10 % of the target       the controller's own tolerance
    up at once, at most twice as many or four more in 15 s, whichever is more: its defaults
    down by the chart's `behavior`: the most that was wanted during the window, and a replica a period

KEDA hands over the metric; without an answer from Prometheus nothing changes, until its fallback.
"""

import math
from collections import deque
from dataclasses import dataclass, field

TOLERANCE = 0.1
UP_FACTOR, UP_PODS, UP_PERIOD_S = 2, 4, 15.0


@dataclass(frozen=True)
class Behavior:
    """As in the chart's ScaledObject; seconds."""

    least: int
    most: int
    target: float
    """Of the metric, for each replica."""
    down_window_s: float
    down_period_s: float
    """In which one replica may go."""
    up_period_s: float = UP_PERIOD_S


@dataclass
class Autoscaler:
    """Is asked again and again, with the time in seconds."""

    behavior: Behavior
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)
    _changes: deque[tuple[float, int]] = field(default_factory=deque)

    def replicas(self, now: float, current: int, metric: float | None) -> int:
        """How many there are to be; `metric` None: unknown."""
        if metric is None:
            return current
        of = self.behavior
        usage = metric / (of.target * current) if current else math.inf
        wanted = current if abs(usage - 1) <= TOLERANCE else math.ceil(metric / of.target)
        self._wanted.append((now, max(of.least, min(of.most, wanted))))
        while self._wanted[0][0] < now - of.down_window_s:
            self._wanted.popleft()
        newest, highest = self._wanted[-1][1], max(count for _, count in self._wanted)
        decided = (
            self._up(now, current, newest) if newest > current else self._down(now, current, min(highest, current))
        )
        if decided != current:
            self._changes.append((now, decided - current))
        return decided

    def _up(self, now: float, current: int, wanted: int) -> int:
        began = current - sum(
            change for at, change in self._changes if change > 0 and at > now - self.behavior.up_period_s
        )
        return min(wanted, max(UP_FACTOR * began, began + UP_PODS))

    def _down(self, now: float, current: int, wanted: int) -> int:
        gone = -sum(change for at, change in self._changes if change < 0 and at > now - self.behavior.down_period_s)
        return max(wanted, current - max(0, 1 - gone))
