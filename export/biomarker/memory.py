"""How many crops at a time memory allows, and how many tiles stay decoded in it."""

from contextlib import suppress
from pathlib import Path

from histoserve.export.biomarker.network import CROP_PX

BATCH = 64
"""The document's ([0158])."""
CROP_BYTES = 550 * 2**20
"""Of a crop of 512 px at width 1.0, in training: 490 MiB, as counted, that layers keep for the way back, and more."""
PART = 0.7
"""Of the memory that is free: others need some too."""
KEPT = 0.1
"""Of it, for decoded tiles: markers may be trained side by side."""
MEMORY, LIMIT, USED = (
    Path(each) for each in ("/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
)


def batch_that_fits(width: float, crop_px: int = CROP_PX, free: int | None = None) -> int:
    """`BATCH`, or the largest half, fourth, … of it that fits into `free` bytes, by default those of this machine.

    ValueError if not even two crops do, which normalisation needs.
    """
    available = free_bytes() if free is None else free
    batch, each = BATCH, CROP_BYTES * width * (crop_px / CROP_PX) ** 2
    while batch * each > PART * available:
        batch //= 2
        if batch < 2:
            raise ValueError(
                f"a batch of two crops at width {width:g} needs {2 * each / 2**20:.0f} MiB, of"
                f" {available / 2**20:.0f} MiB that are free: make room, or give a smaller --width"
            )
    return batch


def tiles_that_fit(bytes_each: int, free: int | None = None) -> int:
    """As above; 0 if none does."""
    return int(KEPT * (free_bytes() if free is None else free) // bytes_each)


def free_bytes() -> int:
    """Of this machine, or of the container that this runs in; where nothing tells, as if there were enough."""
    found = [BATCH * CROP_BYTES * 2]
    with suppress(OSError, LookupError, ValueError):
        lines = dict(line.split(":") for line in MEMORY.read_text().splitlines())
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    # No container, or "max".
    with suppress(OSError, ValueError):
        found.append(int(LIMIT.read_text()) - int(USED.read_text()))
    return min(found)
