"""A batch in pieces: on a CPU a graph needs memory in proportion to its rows, and gains nothing by many.

A graph keeps what its largest piece took.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from histoserve.deploy.local.backends.onnxruntime.batch import Arrays, Run

ROWS = "cpu_rows_at_once"
"""The config's parameter: how many rows a graph on a CPU gets at a time, 0 for all; without it as VALUES allows."""
VALUES = 2 * 512 * 512 * 3
"""In the largest input of a piece: two colour pictures of 512 px."""


def rows_at_once(config: Mapping[str, Any]) -> int | None:
    """The rows of a piece, 0 for all, None for as many as have VALUES. Raises ValueError if the config has no number.

    Only what may be merged may be parted: without `dynamic_batching` a graph's rows may depend on each other.
    """
    if not config.get("max_batch_size") or "dynamic_batching" not in config:
        return 0
    told = config.get("parameters", {}).get(ROWS)
    if told is None:
        return None
    if not told["string_value"].isdecimal():
        raise ValueError(f"parameter {ROWS}: wanted a number of rows, 0 for all, got {told['string_value']!r}")
    return int(told["string_value"])


def run_in_pieces(run: Run, arrays: Arrays, rows: int | None) -> Arrays:
    """As `run(arrays)`, with at most `rows` (see `rows_at_once`) rows at a time."""
    if rows == 0:
        return run(arrays)
    count = len(next(iter(arrays.values())))
    largest = max(array.size for array in arrays.values())
    step = rows or max(1, VALUES * count // max(1, largest))
    if count <= step:
        return run(arrays)
    pieces = [
        run({name: array[start : start + step] for name, array in arrays.items()}) for start in range(0, count, step)
    ]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
