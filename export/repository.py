"""Puts an exported graph into a Triton model repository, if it fits the pipeline that is there."""

import hashlib
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from histoserve.export.graph import ServedGraph

MAX_BATCH_SIZE = 16
HEADER = """\
# Written by `histoserve export` from the graph beside it: tensors and parameters are the graph's.
# max_batch_size, dynamic_batching, instance_group and optimization may be edited; an export keeps them.
"""

TRITON_TYPE = {
    onnx.TensorProto.FLOAT: DataType.TYPE_FP32,
    onnx.TensorProto.FLOAT16: DataType.TYPE_FP16,
    onnx.TensorProto.UINT8: DataType.TYPE_UINT8,
    onnx.TensorProto.INT32: DataType.TYPE_INT32,
    onnx.TensorProto.INT64: DataType.TYPE_INT64,
    onnx.TensorProto.BOOL: DataType.TYPE_BOOL,
}


class GraphDoesNotFit(Exception):
    """The pipeline in the repository expects other tensors than the graph has."""


def read_config(model: Path) -> ModelConfig:
    return text_format.Parse((model / "config.pbtxt").read_text(), ModelConfig())


def config_from_graph(served: ServedGraph, graph: onnx.ModelProto, existing: ModelConfig | None = None) -> ModelConfig:
    """The model's config: tensors and parameters from the graph, deployment settings from `existing`."""
    config = ModelConfig()
    if existing is not None:
        config.CopyFrom(existing)
        for field in ("input", "output", "parameters"):
            config.ClearField(field)
    else:
        config.max_batch_size = MAX_BATCH_SIZE
        config.dynamic_batching.SetInParent()
    config.name, config.backend = served.model, "onnxruntime"
    for tensors, target in ((graph.graph.input, config.input), (graph.graph.output, config.output)):
        for tensor in tensors:
            kind = tensor.type.tensor_type
            # The first axis is the batch; the config leaves it out.
            dims = [axis.dim_value or -1 for axis in kind.shape.dim[1:]]
            target.add(name=tensor.name, data_type=TRITON_TYPE[kind.elem_type], dims=dims)
    digest = hashlib.sha256(graph.SerializeToString()).hexdigest()
    for key, value in {**served.parameters, "graph_sha256": digest}.items():
        config.parameters[key].string_value = value
    return config


def check_fit(config: ModelConfig, repository: Path) -> None:
    """GraphDoesNotFit if an ensemble or stage of `repository` passes or expects other tensors than `config` has."""
    configs = {path.parent.name: read_config(path.parent) for path in sorted(repository.glob("*/config.pbtxt"))}
    configs[config.name] = config
    for ensemble in configs.values():
        steps = ensemble.ensemble_scheduling.step
        if any(step.model_name == config.name for step in steps):
            made: dict[str, tuple[str, tuple[int, list[int]]]] = {
                tensor.name: (ensemble.name, full_shape(ensemble, tensor)) for tensor in ensemble.input
            }
            for step in steps:
                for inside, outside in step.output_map.items():
                    made[outside] = (step.model_name, tensor_of(configs, step.model_name, "output", inside))
            for step in steps:
                for inside, outside in step.input_map.items():
                    maker, given = made[outside]
                    match(maker, given, step.model_name, inside, tensor_of(configs, step.model_name, "input", inside))


def full_shape(config: ModelConfig, tensor: ModelConfig) -> tuple[int, list[int]]:
    batch = [-1] if config.max_batch_size else []
    return tensor.data_type, batch + list(tensor.dims)


def tensor_of(configs: dict[str, ModelConfig], model: str, side: str, name: str) -> tuple[int, list[int]]:
    if model not in configs:
        raise GraphDoesNotFit(f"the pipeline has a step {model}, but the repository holds no such model")
    for tensor in getattr(configs[model], side):
        if tensor.name == name:
            return full_shape(configs[model], tensor)
    have = ", ".join(tensor.name for tensor in getattr(configs[model], side))
    raise GraphDoesNotFit(f"{model} must have the {side} {name}; it has {have or 'none'}")


def match(maker: str, given: tuple[int, list[int]], taker: str, name: str, wanted: tuple[int, list[int]]) -> None:
    fits = len(given[1]) == len(wanted[1]) and all(
        g == w or -1 in (g, w) for g, w in zip(given[1], wanted[1], strict=True)
    )
    if given[0] != wanted[0] or not fits:
        described = [f"{DataType.Name(kind)} {shape}" for kind, shape in (given, wanted)]
        raise GraphDoesNotFit(f"{name}: {maker} gives {described[0]}, but {taker} takes {described[1]}")


def write_network(repository: Path, served: ServedGraph, graph: onnx.ModelProto) -> Path:
    """Writes `<repository>/<model>/1/model.onnx` and the config, whole or not at all; returns the graph's path."""
    folder = repository / served.model
    existing = read_config(folder) if (folder / "config.pbtxt").exists() else None
    config = config_from_graph(served, graph, existing)
    check_fit(config, repository)
    (folder / "1").mkdir(parents=True, exist_ok=True)
    path = folder / "1" / "model.onnx"
    for target, content in (
        (path, graph.SerializeToString()),
        (folder / "config.pbtxt", (HEADER + text_format.MessageToString(config)).encode()),
    ):
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(content)
        partial.replace(target)
    return path
