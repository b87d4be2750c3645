"""Batches of one size: where a network is compiled for so many rows, decode fills up with empty ones.

    decode ─ IMAGE, 3 and 13 empty ones ─▶ network of 16 rows ─ 16 ─▶ stage: the first 3, as many as DECODER has
    select ─ PEAK_MAP likewise ─▶ encoder ─▶ pool: those that PEAK_INDEX names

A GPU chooses its kernels by the shape of a batch; with one shape a row does not depend on those beside it. Asked for by
the parameter `padded_to` of the stages' configs, which `histoserve export --tensorrt` names.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARAMETER = "padded_to"
DECODER = "DECODER"
BATCHES = ("IMAGE", "PEAK_MAP")
"""Outputs of stages that are a network's batch."""


def padded_to(config: Mapping[str, Any]) -> int:
    """Rows, 0 for no padding; ValueError for what is no number. `config` is Triton's, as JSON."""
    said = config.get("parameters", {}).get(PARAMETER, {}).get("string_value", "0")
    if not said.isdecimal():
        raise ValueError(f"parameter {PARAMETER}: wanted a number of rows, 0 for none, got {said!r}")
    return int(said)


def padded(outputs: dict[str, NDArray], rows: int) -> dict[str, NDArray]:
    """With as many rows of a batch as `rows`; ValueError for more than these."""
    full = {name: _filled_up(name, outputs[name], rows) for name in BATCHES if rows and name in outputs}
    return {**outputs, **full}


def _filled_up(name: str, batch: NDArray, rows: int) -> NDArray:
    if len(batch) > rows:
        raise ValueError(f"{len(batch)} rows of {name}, and the network takes {rows} at a time")
    if len(batch) == rows:
        return batch
    return np.concatenate([batch, np.zeros((rows - len(batch), *batch.shape[1:]), batch.dtype)])


def without_padding(inputs: dict[str, NDArray], rows: int) -> dict[str, NDArray]:
    """Inputs of so many `rows` where DECODER has fewer, which is never padded, lose those that are too many."""
    decoder = inputs.get(DECODER.lower())
    if not rows or decoder is None or len(decoder) >= rows:
        return inputs
    return {name: each[: len(decoder)] if len(each) == rows else each for name, each in inputs.items()}
