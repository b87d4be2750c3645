"""What the floor of `peakmap_tiles` saves of the bytes that travel back, and the client's memory on a large slide."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.tile import REPOSITORY
from histoserve.client.analyze import Order, analyze
from histoserve.client.connect import Wire, connect
from histoserve.client.traffic import Traffic
from histoserve.client.wire import Arrays, Outputs
from histoserve.deploy.local.triton import LocalTriton
from histoserve.export.repository import read_config
from histoserve.phantom import write_phantom

BYTES_TARGET, MEMORY_TARGET = 0.05, 1.15
"""Returned with the floor, of all rows of the slide; peak memory, of that for a slide four times smaller."""
SIDES_PX = (9728, 4864)
"""76² tiles, and a quarter as many."""
MPP, SEED = 0.5, 3
DEADLINE_S = 300.0


class Unfloored(Traffic):
    """A wire that never tells the server a floor."""

    row_bytes = 0
    """Of one row, once one came back."""

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """As Wire.infer."""
        if "FLOOR" not in arrays:
            return super().infer(model, arrays)
        outputs = super().infer(model, {**arrays, "FLOOR": np.full_like(arrays["FLOOR"], -1)})
        if len(outputs["SCORE"]):
            self.row_bytes = sum(each[0].nbytes for each in outputs.values())
        return outputs


class Silent:
    """A watcher."""

    def phase(self, text: str) -> None: ...

    def say(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...


def run(image: Path | None = None) -> int:
    """Prints what a phantom smear of over 5,000 tiles sends back, and the client's peak memory on it; 1 over a target.

    As served, hardly a tile has a type, and the server returns none that has not. Where every tile has every type, at
    the threshold 0, the floor alone holds rows back. ValueError for an image.
    """
    if image is not None:
        raise ValueError("bench floor draws its own slides: leave out --image")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large, small = (drawn(folder, side) for side in SIDES_PX)
        with served(REPOSITORY) as address:
            memory = [peak_bytes(slide, address) for slide in (large, small)]
            share = print_traffic("as served", large, address)
        with served(with_threshold(folder / "repository", "0")) as address:
            peak_bytes(large, address)
            share_of_all_typed = print_traffic("every tile has every type", large, address)
    ratio = memory[0] / memory[1]
    mib = [round(each / 2**20) for each in memory]
    told = f"peak memory of `analyze`: {mib[0]} MiB, {mib[1]} MiB for a slide a quarter its size"
    Console().print(f"{told}: ratio {ratio:.2f}, target ≤ {MEMORY_TARGET}", soft_wrap=True)
    return 0 if max(share, share_of_all_typed) <= BYTES_TARGET and ratio <= MEMORY_TARGET else 1


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """The address of a Triton that serves `peakmap` of this repository."""
    with LocalTriton(repository, models=["peakmap_tiles", "peakmap_slide"]) as triton:
        yield triton.grpc


def with_threshold(target: Path, threshold: str) -> Path:
    """A copy of the model repository in which a tile has a type from this score on."""
    shutil.copytree(REPOSITORY, target)
    for model in target.glob("peakmap_*"):
        config = read_config(model)
        if "threshold" in config.parameters:
            config.parameters["threshold"].string_value = threshold
            (model / "config.pbtxt").write_text(text_format.MessageToString(config))
    return target


def drawn(folder: Path, side: int) -> Path:
    """A smear of `side` × `side` px."""
    path = folder / f"{side}.tiff"
    write_phantom(path, kind="cytology", size=(side, side), mpp=MPP, seed=SEED, truth=None)
    return path


def peak_bytes(slide: Path, server: str) -> int:
    """Resident memory that `histoserve analyze` had at most; its result is left beside the slide."""
    command = [str(Path(sys.executable).with_name("histoserve")), "analyze", str(slide)]
    command += ["--pipeline", "peakmap", "--server", server, "-o", str(slide.parent)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise OSError(f"{' '.join(command)} ended with {process.returncode}")
    # Linux counts in KiB.
    return usage.ru_maxrss * 1024


def print_traffic(title: str, slide: Path, server: str) -> float:
    """Analyses `slide` without a floor, beside what `peak_bytes` left; the share of all rows that travelled with it."""
    floored = json.loads((slide.with_suffix("") / "peakmap" / "result.json").read_text())
    with connect([server], ["peakmap"], DEADLINE_S) as servers:
        wire = Unfloored(servers)
        order = Order(slide, "peakmap", slide.with_suffix(".unfloored"))
        unfloored = analyze(order, lambda: nullcontext[Wire](wire), Silent()).result
    assert floored["result"] == unfloored["result"], "the floor changed the result"
    tiles = floored["tiles"]["sent"]
    returned = [each["transfer"]["peakmap_tiles"]["returned_bytes"] for each in (unfloored, floored)]
    shares = [each / (tiles * wire.row_bytes) for each in returned]
    table = Table("rows", "bytes", "of all rows", "target", title=f"what the server returned of {tiles} tiles, {title}")
    table.add_row("all (computed)", f"{tiles * wire.row_bytes:,}", "1", "")
    table.add_row("the K best of each request", f"{returned[0]:,}", f"{shares[0]:.2%}", "")
    table.add_row("the same, over the floor", f"{returned[1]:,}", f"{shares[1]:.2%}", f"≤ {BYTES_TARGET:.0%}")
    table.caption = f"with the floor {returned[1] / returned[0]:.1%} of the bytes without"
    Console().print(table)
    return shares[1]
