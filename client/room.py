"""How many requests may be under way: half as many after one was turned away for want of room, slowly more again.

As TCP does it; without, every caller would offer all it has to servers that are full, again and again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.2
"""Who waits for a place looks so often whether it still should."""


class Room:
    """Used by several threads. There is no limit until the first request was turned away."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limit = float("inf")
        self._taken = 0
        self._cut_at = 0
        self._begun = 0

    @contextmanager
    def place(self, stopped: Callable[[], bool]) -> Iterator[int]:
        """Waits for a place, unless `stopped`; gives the request's number, to be told to `full`."""
        with self._changed:
            while self._taken >= self._limit and not stopped():
                self._changed.wait(LOOK_SECONDS)
            self._taken += 1
            self._begun += 1
            number = self._begun
        try:
            yield number
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def full(self, number: int) -> None:
        """The request of this number was turned away; those that were under way with it halve nothing again."""
        with self._changed:
            if number > self._cut_at:
                self._limit = max(1.0, min(self._limit, self._taken) / 2)
                self._cut_at = self._begun

    def answered(self) -> None:
        """One more place after as many answers as there are places."""
        with self._changed:
            self._limit += 1 / self._limit
            self._changed.notify()
