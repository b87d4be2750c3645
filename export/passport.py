"""A served graph's passport: what it is, costs and comes from, as JSON beside it.

graph ─▶ operators, types, hash ┐
one run on a tile ─▶ its cost   ├▶ passport.json
weights, config ─▶ its past     ┤
what an export tried ───────────┘

Stages load no graph but the one of its passport (`ensemble/passport.py`).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import TensorProto
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.ensemble.passport import FILE
from histoserve.export.cost import cost_of
from histoserve.export.deployment import PRECISION, VERSIONS
from histoserve.export.engines import ABSENT, engine_of, side_of
from histoserve.export.golden import FILE as GOLDEN
from histoserve.export.golden_from_onnx import Golden
from histoserve.export.origin import Origin
from histoserve.export.portable import NotPortable, types_of
from histoserve.export.tensorrt import CAPABILITIES, NoEngine, library

__all__ = ["FILE", "Found", "bytes_of", "passport_of", "precision_of", "runtimes_of"]


@dataclass(frozen=True)
class Found:
    """What an export found out of a graph, of which the graph itself says nothing."""

    pytorch: Mapping[str, Any] = field(default_factory=dict)
    """How near PyTorch it is"""
    float32: Mapping[str, str] = field(default_factory=dict)
    """Output → how far a lower precision strays from float32 on real tiles"""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    golden: Golden | None = None

    def lines(self, model: str) -> Iterator[str]:
        """For the terminal."""
        near = self.pytorch.get("largest_difference", {})
        yield f"{model}: against PyTorch: {', '.join(f'{name} within {each:.3g}' for name, each in near.items())}"
        if self.float32:
            yield f"  {', '.join(f'{name} {said}' for name, said in self.float32.items())}"
        for name, said in self.runtimes.items():
            yield f"  {name}: {said}"


def passport_of(
    graph: onnx.ModelProto, content: bytes, config: ModelConfig, repository: Path, origin: Origin, found: Found
) -> dict[str, Any]:
    """Of the graph that is the bytes `content`, and is served by `config` among the models in `repository`."""
    side, rows = side_of(config.name, repository), max(config.max_batch_size, 1)
    cost = cost_of(graph, side)
    golden = found.golden
    return {
        "model": config.name,
        "version": VERSIONS[precision_of(graph)],
        "precision": precision_of(graph),
        "graph": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "opset": opset_of(graph)},
        "inputs": {tensor.name: tensor_in_words(tensor) for tensor in graph.graph.input},
        "outputs": {tensor.name: tensor_in_words(tensor) for tensor in graph.graph.output},
        "operators": dict(Counter(node.op_type for node in graph.graph.node).most_common()),
        "tensors": dict(Counter(types_of(graph).values()).most_common()),
        "weight_bytes": weight_bytes(graph),
        "one_row": {"side": side, **asdict(cost)},
        "batch": {"rows": rows, "memory": rows * cost.memory},
        "made_of": {entry.key: entry.value for entry in graph.metadata_props},
        "origin": asdict(origin),
        "parity": {"with_pytorch": dict(found.pytorch), "with_float32": dict(found.float32)},
        "runtimes": dict(found.runtimes),
        "golden": {"sha256": hashlib.sha256(golden.content).hexdigest(), **golden.said} if golden else {},
    }


def bytes_of(passport: Mapping[str, Any], golden: Golden | None = None) -> dict[str, bytes]:
    """The files that lie beside the graph."""
    written = {FILE: (json.dumps(passport, indent=1) + "\n").encode()}
    return {**written, GOLDEN: golden.content} if golden else written


def runtimes_of(
    model: str, graph: onnx.ModelProto, rows: int, repository: Path, refuse: bool = False
) -> dict[str, str]:
    """What was tried here, and how it went: what is the same each time. ValueError, told to `refuse`, for no engine."""
    said = {f"ONNX Runtime {onnxruntime.__version__}": "runs it on a CPU"}
    trt = library()
    if trt is None:
        return {**said, "TensorRT": f"not asked: {ABSENT}"}
    name = f"TensorRT for RTX {trt.__version__}"
    try:
        engine = engine_of(trt, model, graph, rows, repository)
    except (NoEngine, NotPortable) as error:
        if refuse:
            raise
        return {**said, name: f"refuses it: {error}"}
    return {**said, name: f"builds an engine of {engine.layers} layers for {', '.join(CAPABILITIES)}"}


def precision_of(graph: onnx.ModelProto) -> str:
    return next((entry.value for entry in graph.metadata_props if entry.key == PRECISION), "fp32")


def tensor_in_words(tensor: onnx.ValueInfoProto) -> str:
    kind = tensor.type.tensor_type
    axes = [axis.dim_param or str(axis.dim_value or "?") for axis in kind.shape.dim]
    return f"{TensorProto.DataType.Name(kind.elem_type)} [{', '.join(axes)}]"


def opset_of(graph: onnx.ModelProto) -> int:
    return max(each.version for each in graph.opset_import if each.domain in ("", "ai.onnx"))


def weight_bytes(graph: onnx.ModelProto) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in graph.graph.initializer:
        found[TensorProto.DataType.Name(each.data_type)] += len(each.raw_data)
    return {name: count for name, count in found.most_common() if count}
