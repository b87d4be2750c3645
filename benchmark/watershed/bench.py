"""How much faster the compiled watershed stage is than the same method with SciPy and scikit-image."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.tile import REPOSITORY, network_maps, tile
from histoserve.benchmark.turns import median_seconds
from histoserve.benchmark.watershed import reference
from histoserve.benchmark.watershed.synthetic import synthetic_maps
from histoserve.ensemble.nuclei import watershed
from histoserve.ensemble.nuclei.rules import Rules
from histoserve.export.nuclei.validation import rules_from_config

LABEL_MAP, WHOLE_STEP = "label map", "labels, types, contours, rows"
TARGETS = {LABEL_MAP: 5.0, WHOLE_STEP: 8.0}
SIDE_PX, TURNS = 1024, 5


def run(image: Path | None = None) -> int:
    """Prints a table for synthetic maps of 900 nuclei and one for the network's maps of `image` or a phantom.

    Returns 0, or 1 if labels differ anywhere or the synthetic maps miss a target. One thread each, in turns; a ratio is
    that of medians. The targets are for the synthetic maps: a network's maps may hold any number of nuclei.
    """
    cv2.setNumThreads(1)
    real = network_maps(tile(image, SIDE_PX if image is None else SIDE_PX // 32 * 32 - 32))
    rules = rules_from_config(REPOSITORY / "nuclei_watershed")
    crowded = compared("synthetic", synthetic_maps(), rules)
    found = compared("the network's", real, rules)
    return 0 if crowded and found is not None and all(crowded[what] >= TARGETS[what] for what in TARGETS) else 1


def compared(name: str, maps: NDArray[np.uint8], rules: Rules) -> dict[str, float] | None:
    """Prints and returns the ratios for one tile's maps; None if the labels differ."""
    labels, types = watershed.label_nuclei(maps, rules)
    same = np.array_equal(labels, reference.label_map(maps, rules))
    height, width = labels.shape
    table = Table("what", "reference, ms", "compiled, ms", "ratio", "target")
    table.title = f"{name} maps: {width} × {height} px, {len(types) - 1} nuclei, identical labels: {same}"
    ratios = {}
    for what, pair in pairs(maps, rules).items():
        slow, fast = median_seconds(pair, TURNS)
        ratios[what] = slow / fast
        table.add_row(what, f"{slow * 1e3:.1f}", f"{fast * 1e3:.1f}", f"{ratios[what]:.1f}", f"≥ {TARGETS[what]:.0f}")
    Console().print(table)
    return ratios if same else None


def pairs(maps: NDArray[np.uint8], rules: Rules) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """What is timed: reference and compiled, by the names of TARGETS."""
    whole = np.array((0, 0, maps.shape[1], maps.shape[0]), np.float64)
    return {
        LABEL_MAP: (lambda: reference.label_map(maps, rules), lambda: watershed.label_nuclei(maps, rules)),
        WHOLE_STEP: (
            lambda: reference.nuclei(maps, rules),
            lambda: watershed.joined([watershed.rows(maps, whole, whole, 0, rules)]),
        ),
    }
