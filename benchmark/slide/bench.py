"""From measured rates of every stage on this machine: how many cores keep one GPU busy, and slides an hour."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.client.bench import handed
from histoserve.benchmark.client.slides import MPP, TILE_PX, large_slide, pixels_of, stored_of, tiles_of
from histoserve.benchmark.decode.bench import BATCH, windows
from histoserve.benchmark.tile import REPOSITORY, network_maps, session, tile
from histoserve.client.travel.block import Block
from histoserve.ensemble.nuclei.rows import joined, rows
from histoserve.export.nuclei.validation import rules_from_config

PIXELS, TURNS = 4e7, 3

TFLOPS = 20.0
"""Assumed of the GPU: what it reaches in FP32 on convolutions of this size; no figure on one was measured."""
TISSUE_MM2 = 150.0
"""Assumed of a slide, at `MPP`."""


def run(image: Path | None = None) -> int:
    """Prints what each stage of nuclei takes of one core, measured, and a plan for a GPU, assumed; 0."""
    side = tile(None, TILE_PX)
    maps, network, rules = network_maps(side), session(threads=1), rules_from_config(REPOSITORY / "nuclei_watershed")
    whole = np.array((0, 0, TILE_PX, TILE_PX), np.float64)
    with large_slide(image, PIXELS) as slide, stored_of(slide, BATCH) as [stored]:
        tiles = tiles_of(slide)
        groups, step = list(stored.groups(tiles)), tiles[0].core[2]
        blocks = [each for group in groups for each in stored.read(group) if isinstance(each, Block) and each.shared]
        rates: dict[str, Callable[[], float]] = {
            "client, stored JPEGs": lambda: handed(stored, groups)[0] * 1e6 / step**2,
            "client, pixels by OpenSlide": lambda: handed(pixels_of(slide), groups[:1])[0] * 1e6 / step**2,
            "server, JPEGs to windows": lambda: windows(blocks) * 1e6 / TILE_PX**2,
            "server, network on this core": partial(per_second, lambda: network.run(None, {"IMAGE": side[None]})),
            "server, maps to nuclei": partial(per_second, lambda: joined([rows(maps, whole, whole, 0, rules)])),
        }
        found = {name: median(rate() for _ in range(TURNS)) for name, rate in rates.items()}
    print_plan(found, flop_a_tile(), step)
    return 0


def per_second(action: Callable[[], object]) -> float:
    """How often one core does it in a second of its own."""
    action()
    start = time.process_time()
    for _ in range(TURNS):
        action()
    return TURNS / (time.process_time() - start)


def flop_a_tile() -> float:
    """Of nuclei's network, by its passport."""
    passport = json.loads((REPOSITORY / "nuclei_network" / "1" / "passport.json").read_bytes())
    return float(passport["one_row"]["flop"])


def print_plan(found: dict[str, float], flop: float, step: int) -> None:
    """Tiles are windows of `TILE_PX`, of which `step` px a side are new."""
    table = Table(
        "stage", "tiles/s a core", "cores for the GPU", title=f"nuclei, windows of {TILE_PX} px at {MPP} µm/px"
    )
    gpu = TFLOPS * 1e12 / flop
    for name, rate in found.items():
        table.add_row(f"{name} (measured)", f"{rate:.1f}", f"{gpu / rate:.1f}" if "network" not in name else "")
    table.add_row(f"GPU's network (assumed: {TFLOPS:g} TFLOP/s)", f"{gpu:.0f}", "")
    Console().print(table)
    tiles = TISSUE_MM2 / (step * MPP / 1000) ** 2
    slow = found["server, network on this core"]
    Console().print(
        f"A slide of {TISSUE_MM2:g} mm² of tissue (assumed) has {tiles:.0f} tiles: {3600 * gpu / tiles:.0f} an hour"
        f" where the GPU is busy all the time, {3600 * slow / tiles:.2f} on this core alone."
    )
