"""Batches of one size: where a network is compiled for so many rows, decode fills up with empty ones.

    decode ─ IMAGE, 3 and 13 empty ones ─▶ network of 16 rows ─ 16 ─▶ stage: the first 3, as many as DECODER has

A GPU chooses its kernels by the shape of a batch; with one shape a row does not depend on those beside it. Asked for by
the parameter `padded_to` of both stages' configs, which `histoserve export --tensorrt` names.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PARAMETER = "padded_to"
IMAGE, DECODER = "IMAGE", "DECODER"


def padded_to(config: Mapping[str, Any]) -> int:
    """Rows, 0 for no padding; ValueError for what is no number. `config` is Triton's, as JSON."""
    said = config.get("parameters", {}).get(PARAMETER, {}).get("string_value", "0")
    if not said.isdecimal():
        raise ValueError(f"parameter {PARAMETER}: wanted a number of rows, 0 for none, got {said!r}")
    return int(said)


def padded(outputs: dict[str, NDArray], rows: int) -> dict[str, NDArray]:
    """With as many rows of IMAGE as `rows`; ValueError for more than these."""
    image = outputs.get(IMAGE)
    if not rows or image is None or len(image) == rows:
        return outputs
    if len(image) > rows:
        raise ValueError(f"{len(image)} windows, and the network takes {rows}: send them in several requests")
    empty = np.zeros((rows - len(image), *image.shape[1:]), image.dtype)
    return {**outputs, IMAGE: np.concatenate([image, empty])}


def without_padding(inputs: dict[str, NDArray], rows: int) -> dict[str, NDArray]:
    """Inputs of so many `rows` where DECODER has fewer, which is never padded, lose those that are too many."""
    decoder = inputs.get(DECODER.lower())
    if not rows or decoder is None or len(decoder) >= rows:
        return inputs
    return {name: each[: len(decoder)] if len(each) == rows else each for name, each in inputs.items()}
