"""Whether a slide's file still is the one that was opened: a reader that opens it anew must not show another slide."""

import os
import threading
from pathlib import Path

from histoserve.client.errors import SlideError
from histoserve.client.results.source import source_of

Stamp = tuple[int, int, int, int]


class Unchanged:
    """To be asked before each read; several threads may ask at a time."""

    def __init__(self, path: Path):
        """Raises SlideError for a file that cannot be read."""
        self._path = path
        self._content = source_of(path).content
        self._lock = threading.Lock()
        self._judged: dict[Stamp | None, bool] = {_stamp(path): True}

    def __call__(self) -> bool:
        """A file that was only touched, or moved to another disk and back, is the same; one that is gone is not."""
        stamp = _stamp(self._path)
        with self._lock:
            if stamp not in self._judged:
                # Of all states it has been in, the last one is of interest.
                self._judged = {stamp: self._same()}
            return self._judged[stamp]

    def _same(self) -> bool:
        try:
            return source_of(self._path).content == self._content
        except SlideError:
            return False


def _stamp(path: Path) -> Stamp | None:
    """None for what is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
