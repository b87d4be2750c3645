"""Reads drawn tiles by a server as `histoserve label` does: without tumour there must be none, and few be lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from histoserve.benchmark.ihc_tiles.tiles import MPP, Tile, tiles
from histoserve.client.tile_reading import Reading, tile_reader

SLIDES = 60
ENOUGH = 30
"""Tumour cells of a tile that must have a reading."""
MOST_READ, MOST_LOST = 0.05, 0.02
"""Of the tiles without tumour those with a reading, and of those with ENOUGH cells those without."""


class Figures(NamedTuple):
    """Of some tiles."""

    tiles: int
    read: float
    """Share that has a reading."""
    error: float
    """Mean absolute error of the ratio, where there is one."""
    worst: float
    correlation: float


def run(image: Path | None = None) -> int:
    """Prints figures by how much tumour a tile holds; 1 if one misses what is wanted. ValueError for an image."""
    if image is not None:
        raise ValueError("bench ihc_tiles draws its own tiles: leave out --image")
    drawn = list(track(tiles(SLIDES), "drawing tiles", total=2 * SLIDES, transient=True))
    with tile_reader() as read:
        readings = [read(tile.picture, MPP) for tile in track(drawn, "reading tiles", transient=True)]
    found = groups(drawn, readings)
    table = Table("tumour cells", *Figures._fields, title=f"{len(drawn)} tiles of {SLIDES} phantoms")
    for name, group in found.items():
        table.add_row(name, str(group.tiles), *(f"{figure:.3f}" for figure in group[1:]))
    Console().print(table)
    return 0 if passes(found) else 1


def groups(drawn: Sequence[Tile], readings: Sequence[Reading]) -> dict[str, Figures]:
    """Of tiles without tumour, with fewer than ENOUGH tumour cells, and with more."""
    cells = np.array([tile.positive + tile.negative for tile in drawn])
    true = np.array([tile.positive for tile in drawn]) / np.maximum(cells, 1)
    ratios = np.array([reading.ratio for reading in readings])
    parts = {"none": cells == 0, f"1 to {ENOUGH - 1}": (cells > 0) & (cells < ENOUGH), "more": cells >= ENOUGH}
    return {name: figures(np.where(cells > 0, true, np.nan)[part], ratios[part]) for name, part in parts.items()}


def figures(true: np.ndarray, ratios: np.ndarray) -> Figures:
    """Of true ratios and readings (n,), NaN for none."""
    read = ~np.isnan(ratios)
    away = np.abs(ratios - true)[read & ~np.isnan(true)]
    if not len(away):
        return Figures(len(true), float(read.mean()) if len(true) else np.nan, np.nan, np.nan, np.nan)
    varied = np.ptp(true[read]) > 0 and np.ptp(ratios[read]) > 0
    correlation = float(np.corrcoef(true[read], ratios[read])[0, 1]) if varied else np.nan
    return Figures(len(true), float(read.mean()), float(away.mean()), float(away.max()), correlation)


def passes(found: dict[str, Figures]) -> bool:
    """True if tumour is told from none as often as wanted."""
    return found["none"].read <= MOST_READ and found["more"].read >= 1 - MOST_LOST
