"""Puts exported graphs into a Triton model repository, if they fit the pipeline that is there."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from histoserve.export.graph import ServedGraph

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
    """The config in the folder `model`, which names it where the config does not."""
    config = text_format.Parse((model / "config.pbtxt").read_text(), ModelConfig())
    config.name = config.name or model.name
    return config


def config_from_graph(served: ServedGraph, graph: onnx.ModelProto, existing: ModelConfig | None = None) -> ModelConfig:
    """The model's config: tensors and parameters from the graph, deployment settings from `existing`."""
    config = ModelConfig()
    if existing is not None:
        config.CopyFrom(existing)
        for field in ("input", "output", "parameters"):
            config.ClearField(field)
    else:
        config.max_batch_size = served.max_batch_size
        if served.max_batch_size:
            config.dynamic_batching.SetInParent()
    config.name, config.backend = served.model, "onnxruntime"
    # The first axis of a graph that batches is the batch; the config leaves it out.
    first = 1 if served.max_batch_size else 0
    for tensors, target in ((graph.graph.input, config.input), (graph.graph.output, config.output)):
        for tensor in tensors:
            kind = tensor.type.tensor_type
            dims = [axis.dim_value or -1 for axis in kind.shape.dim[first:]]
            target.add(name=tensor.name, data_type=TRITON_TYPE[kind.elem_type], dims=dims)
    digest = hashlib.sha256(graph.SerializeToString()).hexdigest()
    for key, value in {**served.parameters, "graph_sha256": digest}.items():
        config.parameters[key].string_value = value
    return config


def check_fit(new: Sequence[ModelConfig], repository: Path, sizes: Mapping[str, Mapping[str, int]]) -> None:
    """GraphDoesNotFit if the pipeline in `repository` passes, expects or promises other tensors than `new` have.

    `new` take the place of the models of their names, all at once. `sizes` are those of `ServedGraph`.
    """
    configs = {path.parent.name: read_config(path.parent) for path in sorted(repository.glob("*/config.pbtxt"))}
    configs.update({config.name: config for config in new})
    names = {config.name for config in new}
    pipelines = tuple({name.split("_")[0] + "_" for name in names})
    check_sizes([config for name, config in configs.items() if name.startswith(pipelines)], sizes)
    for ensemble in configs.values():
        if names & {step.model_name for step in ensemble.ensemble_scheduling.step}:
            check_ensemble(ensemble, configs)


def check_ensemble(ensemble: ModelConfig, configs: Mapping[str, ModelConfig]) -> None:
    """GraphDoesNotFit if a step, or the ensemble's caller, gets another tensor than its config says."""
    steps = ensemble.ensemble_scheduling.step
    made = {tensor.name: (ensemble.name, full_shape(ensemble, tensor)) for tensor in ensemble.input}
    for step in steps:
        for inside, outside in step.output_map.items():
            made[outside] = (step.model_name, tensor_of(configs, step.model_name, "output", inside))
    for step in steps:
        for inside, outside in step.input_map.items():
            wanted = tensor_of(configs, step.model_name, "input", inside)
            match(*made[outside], step.model_name, inside, wanted)
    for tensor in ensemble.output:
        match(*made[tensor.name], f"the caller of {ensemble.name}", tensor.name, full_shape(ensemble, tensor))


def check_sizes(configs: Sequence[ModelConfig], sizes: Mapping[str, Mapping[str, int]]) -> None:
    """GraphDoesNotFit if a size, or the parameter that counts or lists it, differs within a pipeline."""
    for name, axes in sizes.items():
        found = list(occurrences(configs, name, axes))
        if len({size for size, _ in found}) > 1:
            places: dict[int, list[str]] = {}
            for size, place in found:
                places.setdefault(size, []).append(place)
            told = "; ".join(f"{size} by {', '.join(sorted(where))}" for size, where in sorted(places.items()))
            raise GraphDoesNotFit(f"{name}: all models of a pipeline must agree, but there are {told}")


def occurrences(configs: Sequence[ModelConfig], name: str, axes: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """Every fixed value of the size `name`, and where it stands."""
    for config in configs:
        for tensor in [*config.input, *config.output]:
            axis = axes.get(tensor.name)
            if axis is not None and -axis <= len(tensor.dims) and tensor.dims[axis] > 0:
                yield tensor.dims[axis], f"{tensor.name} of {config.name}"
        if name in config.parameters:
            text = config.parameters[name].string_value
            size = int(text) if text.isdigit() else len(text.split(","))
            yield size, f"parameter {name} of {config.name}"


def full_shape(config: ModelConfig, tensor: ModelConfig) -> tuple[int, list[int]]:
    batch = [-1] if config.max_batch_size else []
    return tensor.data_type, batch + list(tensor.dims)


def tensor_of(configs: Mapping[str, ModelConfig], model: str, side: str, name: str) -> tuple[int, list[int]]:
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


def write_networks(repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]]) -> list[Path]:
    """Writes `<repository>/<model>/1/model.onnx` and the config of each; returns the graphs' paths.

    The graphs of one pipeline come together, since they must fit each other: if one is refused, none is written.
    """
    configs = []
    for served, graph in exported:
        path = repository / served.model / "config.pbtxt"
        configs.append(config_from_graph(served, graph, read_config(path.parent) if path.exists() else None))
    check_fit(configs, repository, {name: axes for served, _ in exported for name, axes in served.sizes.items()})
    for (served, graph), config in zip(exported, configs, strict=True):
        write_model(repository / served.model, graph, config)
    return [repository / served.model / "1" / "model.onnx" for served, _ in exported]


def write_model(folder: Path, graph: onnx.ModelProto, config: ModelConfig) -> None:
    """Each file appears under its name only when it is complete."""
    (folder / "1").mkdir(parents=True, exist_ok=True)
    for target, content in (
        (folder / "1" / "model.onnx", graph.SerializeToString()),
        (folder / "config.pbtxt", (HEADER + text_format.MessageToString(config)).encode()),
    ):
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(content)
        partial.replace(target)
