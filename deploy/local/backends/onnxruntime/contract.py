"""Does an ONNX graph do what a Triton config promises?

Only the config's dicts and what ONNX Runtime tells of a graph's tensors go in, so that no server is needed to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

DTYPES = {
    "TYPE_BOOL": ("tensor(bool)", np.bool_),
    "TYPE_UINT8": ("tensor(uint8)", np.uint8),
    "TYPE_UINT16": ("tensor(uint16)", np.uint16),
    "TYPE_UINT32": ("tensor(uint32)", np.uint32),
    "TYPE_UINT64": ("tensor(uint64)", np.uint64),
    "TYPE_INT8": ("tensor(int8)", np.int8),
    "TYPE_INT16": ("tensor(int16)", np.int16),
    "TYPE_INT32": ("tensor(int32)", np.int32),
    "TYPE_INT64": ("tensor(int64)", np.int64),
    "TYPE_FP16": ("tensor(float16)", np.float16),
    "TYPE_FP32": ("tensor(float)", np.float32),
    "TYPE_FP64": ("tensor(double)", np.float64),
}
"""Triton's name of an element type → ONNX Runtime's, NumPy's. TYPE_STRING and TYPE_BF16 are left to the C++ backend."""


class GraphTensor(Protocol):
    """An input or output of a graph, as ONNX Runtime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]
    """One entry per axis, the batch axis included: a number, or the name (or None) of an axis of any length."""


def mismatches(
    config: Mapping[str, Any], inputs: Sequence[GraphTensor], outputs: Sequence[GraphTensor], overridable: Iterable[str]
) -> list[str]:
    """What of `config` the graph does not do, one sentence each; empty if it fits.

    `overridable` names the graph's inputs that have a default. Outputs that the config leaves out are not computed.
    """
    batched = int(config.get("max_batch_size", 0)) > 0
    promised = {tensor["name"] for tensor in config["input"]}
    return [
        *_tensor_mismatches("input", config["input"], inputs, batched, known=set(overridable)),
        *(
            f"the graph needs the input {_described(tensor)}, which the config does not have"
            for tensor in inputs
            if tensor.name not in promised
        ),
        *_tensor_mismatches("output", config["output"], outputs, batched, known=set()),
    ]


def shape_mismatch(tensor: GraphTensor, shape: Sequence[int]) -> str | None:
    """Why an array of `shape` (batch axis included) cannot be the input `tensor`, or None if it can."""
    fits = len(shape) == len(tensor.shape) and all(
        not isinstance(wanted, int) or wanted == length for wanted, length in zip(tensor.shape, shape, strict=True)
    )
    return None if fits else f"input {tensor.name}: wanted shape {_shape(tensor.shape)}, got {list(shape)}"


def _tensor_mismatches(
    kind: str, promised: Sequence[Mapping[str, Any]], graph: Sequence[GraphTensor], batched: bool, known: set[str]
) -> list[str]:
    by_name = {tensor.name: tensor for tensor in graph}
    found: list[str] = []
    for config in promised:
        tensor = by_name.get(config["name"])
        if tensor is not None:
            found.extend(f"{kind} {tensor.name}: {reason}" for reason in _differences(config, tensor, batched))
        elif config["name"] not in known:
            has = ", ".join(map(_described, graph))
            found.append(f"{kind} {config['name']}: the graph has none of that name, it has {has}")
    return found


def _differences(config: Mapping[str, Any], tensor: GraphTensor, batched: bool) -> list[str]:
    found = []
    if config["data_type"] not in DTYPES:
        found.append(f"the config says {config['data_type']}, which this backend does not carry")
    elif DTYPES[config["data_type"]][0] != tensor.type:
        found.append(f"the config says {config['data_type']}, the graph {_triton_dtype(tensor.type)}")
    dims = [int(dim) for dim in config.get("reshape", config).get("shape", config["dims"])]
    wanted = [-1, *dims] if batched else dims
    added = " with the batch axis that max_batch_size adds" if batched else ""
    if batched and tensor.shape and isinstance(tensor.shape[0], int):
        found.append(
            f"the graph's first axis is always {tensor.shape[0]}, so it takes no batches: "
            "export it with a batch axis of any length, or set max_batch_size to 0"
        )
    elif not _fits(wanted, tensor.shape):
        found.append(f"the config says {wanted}{added}, the graph {_shape(tensor.shape)}")
    return found


def _fits(wanted: Sequence[int], shape: Sequence[int | str | None]) -> bool:
    """Same number of axes, and no axis fixed to two different lengths (as the C++ backend has it)."""
    return len(wanted) == len(shape) and all(
        not isinstance(length, int) or dim in (-1, length) for dim, length in zip(wanted, shape, strict=True)
    )


def _shape(shape: Sequence[int | str | None]) -> list[int]:
    return [length if isinstance(length, int) else -1 for length in shape]


def _triton_dtype(onnx_type: str) -> str:
    return next((name for name, (onnx_name, _) in DTYPES.items() if onnx_name == onnx_type), onnx_type)


def _described(tensor: GraphTensor) -> str:
    return f"{tensor.name} {_triton_dtype(tensor.type)} {_shape(tensor.shape)}"
