"""Mpx/s that the decoding stage makes windows of, of what clients send, against decoding alone."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import simplejpeg
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.client.slides import MPP, TILE_PX, large_slide, pixels_of, stored_of, tiles_of
from histoserve.client.travel.block import Block, joined
from histoserve.ensemble import decode as stage

PIXELS, TURNS, BATCH = 4e7, 5, 16
LEAST = 0.6
"""Target: of the speed at which the same JPEGs are decoded and nothing else is done."""


def run(image: Path | None = None) -> int:
    """Prints figures of `image`, an SVS in JPEG tiles (default: a phantom); 1 if the stage is under its target.

    Mpx are those of windows, of which neighbours have pixels in common, in a second of one core.
    """
    with large_slide(image, PIXELS) as slide, stored_of(slide, BATCH) as [stored]:
        groups = list(stored.groups(tiles_of(slide)))
        shared = [block for group in groups for block in stored.read(group) if isinstance(block, Block)]
        alone = [block for group in groups for block in pixels_of(slide).read(group) if isinstance(block, Block)]
    alone = [joined(alone[start : start + BATCH]) for start in range(0, len(alone), BATCH)]
    alone, shared = [block for block in alone if len(block.tiles) == BATCH], [block for block in shared if block.shared]
    rows: dict[str, Callable[[], float]] = {
        "the same JPEGs decoded, nothing else": partial(bare, shared),
        "windows of stored JPEGs": partial(windows, shared),
        "windows of pixels, which are copied": partial(windows, alone),
    }
    # One core: all of the stage's work in the thread that asks.
    pool, stage.POOL = stage.POOL, ThreadPoolExecutor(1, "decode")
    try:
        for action in rows.values():
            action()
        turns = [{name: action() for name, action in rows.items()} for _ in range(TURNS)]
    finally:
        stage.POOL = pool
    rates = {name: median(turn[name] for turn in turns) for name in rows}
    first, second, _ = rates.values()
    table = Table("what", "Mpx/s a core", "ratio", "target", title=f"{BATCH} windows of {TILE_PX} px a request")
    for number, (name, rate) in enumerate(rates.items()):
        table.add_row(name, f"{rate:.0f}", f"{rate / first:.2f}", f"≥ {LEAST}" if number == 1 else "")
    Console().print(table)
    return 0 if second >= LEAST * first else 1


def windows(blocks: Sequence[Block]) -> float:
    """Mpx/s by the stage."""
    start = time.process_time()
    for block in blocks:
        stage.decode(
            *inputs_of(block), identity=0, tile_px=TILE_PX, mpp=MPP, max_windows=BATCH, max_tiles=1024, max_pixels=2**26
        )
    return made(blocks) / (time.process_time() - start)


def bare(blocks: Sequence[Block]) -> float:
    """Mpx/s if a window were there as soon as its JPEGs are decoded."""
    start = time.process_time()
    for block in blocks:
        for part in block.parts:
            simplejpeg.decode_jpeg(part.image, "RGB", strict=True)
    return made(blocks) / (time.process_time() - start)


def inputs_of(block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As Triton hands them to the stage."""
    given = block.inputs(MPP)
    tiles = np.empty(len(block.parts), object)
    tiles[:] = [part.image for part in block.parts]
    return tiles, np.asarray(given["REGION"]), np.asarray(given["WINDOW"]), np.asarray(given["MPP"])


def made(blocks: Sequence[Block]) -> float:
    """Mpx of all windows."""
    return sum(len(block.tiles) for block in blocks) * TILE_PX**2 / 1e6
