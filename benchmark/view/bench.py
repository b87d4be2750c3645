"""What a million nuclei cost on the page, against reading and drawing them without an index."""

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.view.frames import longest_gaps
from histoserve.benchmark.view.nuclei import write_nuclei
from histoserve.benchmark.view.page import AT_ONCE, ZOOMS

COUNT, TILES = 1_000_000, 80
INDEX_S, TILE_MS, PEAK_MIB, GAP_MS = 120, 150, 1024, 100
"""Targets: to index, of 95 of 100 tiles at any zoom, of either process, between two frames of a browser."""
SHARE = 10
"""The baselines take a tenth of the nuclei, and so long for each of ten."""


def run(image: Path | None = None) -> int:
    """Prints a table; returns 1 over a target. `image` is not needed: the nuclei are made up.

    What the processor worked stands beside: where that is far less, the machine was busy with other things.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        path = write_nuclei(folder, COUNT)
        read_s, draw_ms = baseline(path)
        built, cached = (in_a_process(folder, cache, tiles) for tiles in (1, TILES))
        gaps = longest_gaps(folder, cache)
        megabytes = path.stat().st_size / 1e6
    latest = {z: np.percentile(cached["tiles"][str(z)], 95, axis=0).tolist() for z in ZOOMS}
    peak = max(built["peak"], cached["peak"])
    table = Table("what", "without an index", "on the page", "processor", "target")
    table.title = f"{COUNT:,} nuclei, {megabytes:.0f} MB of GeoJSON, {AT_ONCE} requests at a time"
    table.add_row(
        "read and index, s", f"{read_s:.0f} (only read)", *(f"{s:.0f}" for s in built["seconds"]), f"≤ {INDEX_S}"
    )
    table.add_row("open again, s", "", *(f"{s:.1f}" for s in cached["seconds"]), "")
    for z, values in latest.items():
        slow = f"{draw_ms:.0f}" if z == 2 else ""
        table.add_row(f"a tile at 1:{2**z}, ms (95 of 100)", slow, *(f"{ms:.0f}" for ms in values), f"≤ {TILE_MS}")
    table.add_row("memory, MiB at most", "", f"{peak:.0f}", "", f"≤ {PEAK_MIB}")
    table.add_row(
        "longest between frames, ms, 40 moves", "", f"{gaps[0]:.0f}" if gaps else "no chromium", "", f"≤ {GAP_MS}"
    )
    Console().print(table)
    slowest = max(wall for wall, _ in latest.values())
    late = gaps is not None and gaps[0] > GAP_MS
    return int(built["seconds"][0] > INDEX_S or slowest > TILE_MS or peak > PEAK_MIB or late)


def in_a_process(folder: Path, cache: Path, tiles: int) -> dict[str, Any]:
    """Of its own, so that its memory is its own; raises OSError if it fails."""
    command = [sys.executable, "-m", "histoserve.benchmark.view.page", str(folder), str(cache), str(tiles)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)} failed")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def baseline(path: Path) -> tuple[float, float]:
    """Seconds to read all with Python's json, milliseconds to draw one tile at 1:4 from all outlines."""
    start = time.perf_counter()
    outlines = []
    with path.open("rb") as file:
        for line in itertools.islice(file, 1, 1 + COUNT // SHARE):
            outlines.append(np.array(json.loads(line.rstrip(b",\n"))["geometry"]["coordinates"][0], np.float32))
    read = time.perf_counter() - start
    start = time.perf_counter()
    placed = [np.rint((outline / 4 - 2048) * 16).astype(np.int32) for outline in outlines]
    cv2.polylines(np.zeros((512, 512, 4), np.uint8), placed, True, (0, 0, 0, 255), 1, cv2.LINE_AA, 4)
    drawn = time.perf_counter() - start
    return read * SHARE, drawn * SHARE * 1e3
