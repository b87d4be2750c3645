"""What was made and may be asked for again, up to so many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

OVERHEAD = 200
"""Bytes that an entry takes besides its content."""


class Cache:
    """The least recently used goes first; several threads may use it at a time."""

    def __init__(self, most_bytes: int):
        self._most = most_bytes
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> bytes | None:
        """None if it is not there, or no more."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, content: bytes) -> None:
        """What is larger than all that may be held is not."""
        with self._lock:
            self._drop(key)
            self._held[key] = content
            self._bytes += len(content) + OVERHEAD
            while self._bytes > self._most:
                self._drop(next(iter(self._held)))

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def _drop(self, key: Hashable) -> None:
        if key in self._held:
            self._bytes -= len(self._held.pop(key)) + OVERHEAD
