"""Replicas behind one address whose stage died: what they say of later requests is not those requests' fault.

Envoy keeps such a replica out, but tries it again from time to time, and nobody is told when it was started anew.
"""

import threading
import time
from collections.abc import Callable

FORGOTTEN_SECONDS = 60.0
"""For so long a replica is taken for fallen that answered nothing since; a later death is a new one."""


class Fallen:
    """Since when a model of a replica is known to have a dead stage; used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[tuple[str, str], float] = {}

    def now(self) -> float:
        """When a request is sent, as the others want to be told."""
        return self._clock()

    def fell(self, replica: str, model: str, sent: float) -> bool:
        """Whether the request that was answered so may be the cause: it was sent before the death was known of."""
        with self._lock:
            now = self._clock()
            since = self._since.get((replica, model), now)
            if now - since > FORGOTTEN_SECONDS:
                since = now
            self._since[replica, model] = since
            return sent <= since

    def answered(self, replica: str, model: str, sent: float) -> None:
        """A request that was sent after the death shows that the stage is there again."""
        with self._lock:
            if self._since.get((replica, model), sent) < sent:
                del self._since[replica, model]
