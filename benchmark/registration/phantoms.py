"""Phantom pairs: two neighbouring sections, the second moved, bent and torn as it is known."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from histoserve.benchmark.registration.landmarks import Pair

KIND = "biomarker"
"""Of phantoms: those that come in pairs."""

SIZE, MPP = (900, 900), 4.0
"""Of the H&E: 3.6 mm at the scale that registration looks at, so that a hundred pairs take minutes."""

MARKERS: Sequence[str] = ("ki67", "er", "pr", "her2")
"""In turn."""


def phantom_pair(seed: int, folder: Path) -> Pair:
    """Drawn into the folder; equal seeds give equal pairs. ValueError if there are no phantoms in pairs."""
    make: Callable[..., Any] | None = getattr(importlib.import_module(f"histoserve.phantom.{KIND}"), "pair", None)
    if make is None:
        raise ValueError(f"phantoms of kind {KIND} come alone here: this needs those in pairs")
    pair = make(SIZE, MPP, seed, False, marker=MARKERS[seed % len(MARKERS)])
    he = _saved(folder / f"{seed}-he.png", pair.first.draw((0, 0, *SIZE)))
    ihc = _saved(folder / f"{seed}-ihc.png", pair.second.draw((0, 0, *pair.second_size)))
    here, there = (np.array(pair.relation[each], np.float64) for each in ("landmarks", "pair_landmarks"))
    diagonal = float(np.hypot(*pair.second_size))
    return Pair(f"phantom {seed}", he, ihc, (MPP, float(pair.second_mpp)), here, there, diagonal)


def _saved(path: Path, picture: np.ndarray) -> Path:
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
    return path
