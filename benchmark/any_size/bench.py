"""Whether the client's memory and its time a tile stay the same however large a slide is."""

import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.any_size.constant import NUCLEI, PIPELINE, Constant, write_slide
from histoserve.benchmark.any_size.samples import Sample, Sampler, analysing, draw, paces, write_csv
from histoserve.client.analyze import Order, Report, analyze

OUT = Path("out") / "any_size"
TILES = 100_000

ANALYSING_BYTES, AT_MOST_BYTES, FIXED_MIB = 100, 450, 300
"""Targets for memory: a tile of three nuclei more while tiles are answered; and at most, beside that of any slide."""
SLOWER = 1.25
"""Target: a tile of the last fifth against one of the second."""


def run(image: Path | None = None) -> int:
    """`image` is not needed: the slide is made up."""
    return measure(TILES, OUT)


def measure(tiles: int, out: Path) -> int:
    """Analyses a slide of so many tiles, leaves `memory.csv` and `memory.png` in `out`; 1 if a target is missed."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as name:
        slide = Path(name) / "constant.tiff"
        tiles = write_slide(slide, tiles)
        sampler = Sampler()
        with sampler.sampling():
            order = Order(slide, PIPELINE, Path(name))
            report = analyze(order, lambda: nullcontext(Constant()), sampler)
        sizes = {each: (report.folder / each).stat().st_size for each in report.result["files"]}
    _require_all(report, tiles)
    write_csv(sampler.samples, out / "memory.csv")
    draw(
        sampler.samples,
        f"{tiles:,} tiles, {NUCLEI * tiles:,} nuclei, a server whose network is a constant",
        out / "memory.png",
    )
    return _told(sampler.samples, tiles, report, sizes)


def _require_all(report: Report, tiles: int) -> None:
    found = report.result["tiles"]["sent"], report.result["result"]["nuclei"]["count"]
    if found != (tiles, NUCLEI * tiles):
        raise ValueError(f"{found[0]} tiles and {found[1]} nuclei came out; wanted {tiles} and {NUCLEI * tiles}")


def _told(samples: list[Sample], tiles: int, report: Report, sizes: dict[str, int]) -> int:
    at = analysing(samples)
    grown = np.polyfit([each.tiles for each in at], [each.own_mib for each in at], 1)[0] * 2**20
    peak, allowed = max(each.own_mib for each in samples), FIXED_MIB + AT_MOST_BYTES * tiles / 2**20
    pace = [us for _, us in paces(at)]
    fifth = max(1, len(pace) // 5)
    early, late = np.median(pace[fifth : 2 * fifth]), np.median(pace[-fifth:])
    table = Table("what", "measured", "target", title=f"{tiles:,} tiles, {NUCLEI * tiles:,} nuclei")
    table.add_row("memory while analysing, bytes a tile more", f"{grown:.0f}", f"≤ {ANALYSING_BYTES}")
    table.add_row("memory at most, MiB", f"{peak:.0f}", f"≤ {allowed:.0f}")
    table.add_row("µs of the processor a tile, at first → at last", f"{early:.0f} → {late:.0f}", f"≤ {SLOWER} ×")
    for phase in dict.fromkeys(each.phase for each in samples):
        own = [each.own_mib for each in samples if each.phase == phase]
        table.add_row(f"MiB, {phase or 'starting'}", f"{own[0]:.0f} → {own[-1]:.0f}, at most {max(own):.0f}", "")
    table.add_row("seconds", ", ".join(f"{name} {s:.0f}" for name, s in report.result["seconds"].items()), "")
    table.add_row("MB", ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.items()), "")
    Console().print(table)
    return int(grown > ANALYSING_BYTES or peak > allowed or late > SLOWER * early)
