"""What a C library says on the standard error and nowhere else."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STDERR = 2

_alone = threading.Lock()


@contextmanager
def listening(wanted: "re.Pattern[str]") -> Iterator[list[str]]:
    """Gathers the lines on the process's standard error that match; the list is filled when the block ends.

    All others are shown then, those of other threads among them.
    """
    lines: list[str] = []
    with _alone, tempfile.TemporaryFile() as heard:
        try:
            before = os.dup(STDERR)
        except OSError:
            before = -1
        os.dup2(heard.fileno(), STDERR)
        try:
            yield lines
        finally:
            if before >= 0:
                os.dup2(before, STDERR)
                os.close(before)
            else:
                os.close(STDERR)
            heard.seek(0)
            for line in heard.read().splitlines(keepends=True):
                text = line.decode("utf-8", "replace").strip()
                if wanted.match(text):
                    lines.append(text)
                else:
                    with suppress(OSError):
                        os.write(STDERR, line)
