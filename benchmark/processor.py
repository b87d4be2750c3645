"""Seconds that processes had a processor, as Linux counts them."""

import os
from collections.abc import Iterable
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def processor_seconds(pids: Iterable[int]) -> float:
    """Of these processes, all threads together; of one that is gone 0."""
    return sum(map(_seconds, pids))


def children(pid: int) -> list[int]:
    """Of a process, by all its threads."""
    return [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]


def _seconds(pid: int) -> float:
    try:
        # The second field, the name in brackets, may itself hold blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * TICK_S
