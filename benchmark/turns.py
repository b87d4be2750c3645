"""Timing by turns: a busy machine is busy for both."""

import time
from collections.abc import Callable, Sequence
from statistics import median


def median_seconds(actions: Sequence[Callable[[], object]], turns: int) -> list[float]:
    """Median seconds of each action; each runs once a turn, one after the other; a first turn does not count."""
    seconds: list[list[float]] = [[] for _ in actions]
    for turn in range(turns + 1):
        for action, taken in zip(actions, seconds, strict=True):
            start = time.perf_counter()
            action()
            if turn:
                taken.append(time.perf_counter() - start)
    return [median(taken) for taken in seconds]
