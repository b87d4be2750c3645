"""Servers that several slides use at a time: what is one slide's own of it."""

import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from histoserve.client.wire import Arrays, Outputs

if TYPE_CHECKING:
    from histoserve.client.servers import Servers


class Use:
    """What one slide makes of servers that others use too: its own end, and its own count."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        """What became of its tries, by the servers' addresses."""


class Share:
    """Servers as one of several slides sees them: what it stops or counts is its own."""

    def __init__(self, servers: "Servers", use: Use, in_flight: threading.Semaphore):
        self._servers = servers
        self._use = use
        self._in_flight = in_flight
        self.versions = servers.versions
        self.contract = servers.contract

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """As Servers.infer."""
        with self._in_flight:
            return self._servers.infer(model, arrays, self._use)

    def record(self) -> list[dict[str, Any]]:
        """As Servers.record, of this slide's tries."""
        return self._servers.record(self._use)

    def stop(self) -> None:
        """Ends all waiting of this slide; its requests in flight end by themselves."""
        self._use.stopped.set()
