"""Phantom pairs: two neighbouring sections, the second moved, bent and torn as it is known."""

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from histoserve.benchmark.registration.landmarks import Pair
from histoserve.client.replace import replace_file

KIND = "biomarker"
"""Of phantoms: those that come in pairs."""

SIZE, MPP = (600, 600), 6.0
"""Of the H&E: 3.6 mm, about as fine as registration looks at it: drawn in 6 s of one processor, by far most of it."""

MARKERS: Sequence[str] = ("ki67", "er", "pr", "her2")
"""In turn."""


def phantom_pair(seed: int, folder: Path) -> Pair:
    """As the folder has it, or drawn into it; equal seeds give equal pairs. ValueError if none come in pairs."""
    he, ihc, told = (folder / f"{seed}-{each}" for each in ("he.png", "ihc.png", "pair.json"))
    # Written last: its presence says that the pictures are whole.
    if not told.exists():
        replace_file(told, json.dumps(_drawn(seed, he, ihc)).encode())
    said = json.loads(told.read_text("utf-8"))
    here, there = (np.array(said[each], np.float64) for each in ("landmarks", "pair_landmarks"))
    diagonal = float(np.hypot(*said["pair_size"]))
    return Pair(f"phantom {seed}", he, ihc, (float(said["mpp"]), float(said["pair_mpp"])), here, there, diagonal)


def _drawn(seed: int, he: Path, ihc: Path) -> dict[str, Any]:
    """Saves both pictures; gives how they lie to each other."""
    make: Callable[..., Any] | None = getattr(importlib.import_module(f"histoserve.phantom.{KIND}"), "pair", None)
    if make is None:
        raise ValueError(f"phantoms of kind {KIND} come alone here: this needs those in pairs")
    pair = make(SIZE, MPP, seed, False, marker=MARKERS[seed % len(MARKERS)])
    _save(he, pair.first.draw((0, 0, *SIZE)))
    _save(ihc, pair.second.draw((0, 0, *pair.second_size)))
    return {**pair.relation, "pair_size": pair.second_size, "pair_mpp": pair.second_mpp, "mpp": MPP}


def _save(path: Path, picture: np.ndarray) -> None:
    written, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    assert written
    replace_file(path, encoded.tobytes())
