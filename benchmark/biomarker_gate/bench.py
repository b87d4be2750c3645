"""The gate before any training for markers: the true cells must tell the readings, colour and cell density must not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata

from histoserve.benchmark.biomarker_gate.tiles import Measured, measured
from histoserve.phantom.biomarker.markers import MARKERS

SLIDES = 150
LEAST = {"ki67": 0.8, "er": 0.8, "pr": 0.75, "her2": 0.8}
"""Area under the curve for telling readings above their median from others, wanted of each marker's sign."""
MOST = 0.15
"""How far from one half that of colour, of density, and of all signs for `null` may be."""


def run(image: Path | None = None) -> int:
    """Prints what each measurement tells of each marker; 1 if one is out of its range. ValueError for an image."""
    if image is not None:
        raise ValueError("bench biomarker_gate draws its own tiles: leave out --image")
    tiles = list(measured(range(SLIDES)))
    found = gate(tiles)
    table = Table("marker", *next(iter(found.values())), title=f"{len(tiles)} tiles, area under the curve")
    for name, values in found.items():
        table.add_row(name, *(f"{value:.2f}" for value in values.values()))
    Console().print(table)
    return 0 if passes(found) else 1


def gate(tiles: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """By marker: the area under the curve of its own sign, of each colour and of the density.

    Of `null` that of the other markers' signs which is farthest from one half.
    """
    colours, density = np.array([tile.colour for tile in tiles]), np.array([tile.density for tile in tiles])
    found = {}
    for row, name in enumerate(MARKERS):
        readings = np.array([tile.readings[row] for tile in tiles])
        high = readings > np.median(readings)
        signs = {one: np.array([tile.signs[one] for tile in tiles]) for one in tiles[0].signs}
        measures = dict(zip(("red", "green", "blue"), colours.T, strict=True)) | {"density": density}
        told = {measure: area_under_curve(values, high) for measure, values in measures.items()}
        by_signs = {one: area_under_curve(values, high) for one, values in signs.items()}
        farthest = max(by_signs.values(), key=lambda value: abs(value - 0.5))
        found[name] = {"sign": by_signs.get(name, farthest)} | told
    return found


def passes(found: dict[str, dict[str, float]]) -> bool:
    """True if every sign tells its marker and nothing else tells any."""
    void = [value for name, values in found.items() for measure, value in values.items() if measure != "sign"]
    void.append(found["null"]["sign"])
    return all(found[name]["sign"] >= least for name, least in LEAST.items()) and bool(
        np.abs(np.array(void) - 0.5).max() <= MOST
    )


def area_under_curve(values: NDArray[np.float64], high: NDArray[np.bool_]) -> float:
    """How often a value of those that are high lies above one of the others, equal ones counting half."""
    above, below = int(high.sum()), int((~high).sum())
    if not above or not below:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[high].sum() - above * (above + 1) / 2) / (above * below))
