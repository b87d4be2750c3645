"""What a server's processes hold while nuclei are found on a slide, and what they keep afterwards."""

import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from histoserve.benchmark.memory.processes import held_kib, threads
from histoserve.benchmark.tile import REPOSITORY
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

TARGET_MIB = 2048
"""Of all processes together, at any moment: a laptop of 8 GB has other things to do."""
SIDE_PX, MPP, SEED = 4096, 0.25, 3
"""More tiles than are in flight at a time."""
EVERY_S = 0.2


def run(image: Path | None = None) -> int:
    """Serves every model, analyses `image`, a slide (default: a phantom), and prints MiB of PSS; 1 over the target."""
    with tempfile.TemporaryDirectory() as name, LocalTriton(REPOSITORY) as triton:
        slide = image or drawn(Path(name))
        before, threads_before = held_kib(triton.pid), threads(triton.pid)
        with sampled(triton.pid) as samples:
            command = [str(Path(sys.executable).with_name("histoserve")), "analyze", str(slide)]
            command += ["--pipeline", "nuclei", "--server", triton.grpc, "-o", name]
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
                raise OSError(f"{' '.join(command)} failed")
        after, threads_after = held_kib(triton.pid), threads(triton.pid)
    peak = max([before, after, *samples], key=Counter.total)
    table = Table("process", "ready, MiB", "peak", "afterwards", title=f"memory of a server, {slide.name}")
    for process in sorted(peak | after, key=lambda each: -peak[each]):
        table.add_row(process, *(f"{held[process] / 1024:.0f}" for held in (before, peak, after)))
    table.add_row("all", *(f"{held.total() / 1024:.0f}" for held in (before, peak, after)), style="bold")
    table.add_row("threads", str(threads_before), "", str(threads_after))
    table.caption = f"target: at most {TARGET_MIB} MiB at any moment"
    Console().print(table)
    return 0 if peak.total() <= TARGET_MIB * 1024 else 1


def drawn(folder: Path) -> Path:
    path = folder / "phantom.tiff"
    write_phantom(path, kind="he", size=(SIDE_PX, SIDE_PX), mpp=MPP, seed=SEED, truth=None)
    return path


@contextmanager
def sampled(server: int) -> Iterator[list[Counter[str]]]:
    """What the server's processes held every EVERY_S seconds of the block."""
    samples: list[Counter[str]] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(EVERY_S):
            samples.append(held_kib(server))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        over.set()
        sampler.join()
