"""Many slides in one call, against one call a slide: to a running server, and each with a server of its own."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from histoserve.deploy.local.serve import installed_repository
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

SLIDES, SIZE = 20, (1200, 1000)
DAMAGED = 2
OWN = 5
"""Slides that get a server each: enough to see what that costs."""
PIPELINE = "nuclei"
TARGET = 1.0
"""One call takes at most the time of one call a slide to a running server."""
PARTS_MISSING = 3


def run(image: Path | None = None) -> int:
    """Prints the seconds of each way; 1 if results differ, the call misses a damaged slide, or it is under TARGET."""
    with tempfile.TemporaryDirectory() as folder:
        slides = [*_phantoms(Path(folder) / "slides"), *_damaged(Path(folder) / "slides")]
        outs = [Path(folder) / name for name in ("one", "each", "own")]
        with LocalTriton(installed_repository(), models=[f"{PIPELINE}_tiles", f"{PIPELINE}_slide"]) as triton:
            # The first tiles of a server take longer.
            _seconds([slides[0]], Path(folder) / "first", triton.grpc)
            one, code = _seconds(slides, outs[0], triton.grpc)
            each = sum(_seconds([slide], outs[1], triton.grpc)[0] for slide in slides)
        own = sum(_seconds([slide], outs[2], None)[0] for slide in slides[:OWN])
        results = [_geojson(out) for out in outs]
        rows = len((outs[0] / "summary.csv").read_text().splitlines()) - 1
    _print(one, each, own)
    same = results[0] == results[1] and len(results[0]) == SLIDES and results[2].items() <= results[0].items()
    print(f"results identical: {same}; exit code {code}; rows of the summary: {rows} of {len(slides)}")
    return 0 if same and rows == len(slides) and code == PARTS_MISSING and each / one >= TARGET else 1


def _phantoms(folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{seed:02}.tiff" for seed in range(SLIDES)]
    for seed, path in enumerate(paths):
        write_phantom(path, kind="he", size=SIZE, mpp=0.25, seed=seed, truth=None)
    return paths


def _damaged(folder: Path) -> list[Path]:
    paths = [folder / f"damaged{number}.tiff" for number in range(DAMAGED)]
    for number, path in enumerate(paths):
        path.write_bytes((folder / "00.tiff").read_bytes()[: 100 * number])
    return paths


def _seconds(slides: Sequence[Path], out: Path, server: str | None) -> tuple[float, int]:
    """Of the command, and its exit code."""
    command = [sys.executable, "-m", "histoserve", "analyze", *map(str, slides), "--pipeline", PIPELINE, "-o", str(out)]
    began = time.perf_counter()
    done = subprocess.run([*command, "--quiet", *(["--server", server] if server else [])], capture_output=True)
    return time.perf_counter() - began, done.returncode


def _geojson(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.geojson")}


def _print(one: float, each: float, own: float) -> None:
    table = Table("way", "slides", "seconds", "seconds a slide", "time of one call")
    slides = SLIDES + DAMAGED
    for name, count, seconds in (
        ("one call, running server", slides, one),
        ("one call a slide, running server", slides, each),
        ("one call a slide, each starting its server", OWN, own),
    ):
        ratio = f"{seconds / count / (one / slides):.2f} x"
        table.add_row(name, str(count), f"{seconds:.1f}", f"{seconds / count:.2f}", ratio)
    Console().print(table)
