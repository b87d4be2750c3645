"""How many processors this process may use."""

import os
from pathlib import Path


def cpus(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Those of its affinity, but no more than its cgroup's CPU limit (v2), rounded up.

    `os.cpu_count()` is the machine's number also within a container that may use one of its 64.
    """
    allowed = float(len(os.sched_getaffinity(0)))
    try:
        line = next(line for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return int(allowed)
    folder = cgroups / line.removeprefix("0::/")
    while folder.is_relative_to(cgroups):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
            allowed = min(allowed, float(quota) / float(period))
        except (OSError, ValueError):
            # No limit here ("max"), or a folder outside this container's view.
            pass
        folder = folder.parent
    return max(1, int(-(-allowed // 1)))
