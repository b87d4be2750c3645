"""Puts exported graphs into a Triton model repository, if they fit the pipeline that is there."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from histoserve.export.deployment import BACKEND, GRAPH, deployment_of, shadow_of
from histoserve.export.graph import Rows, ServedGraph
from histoserve.export.origin import FILE, Origin, origin_from_weights, origin_of
from histoserve.export.whole import write_together

INSTALLED = Path(__file__).parents[1] / "model_repository"
"""What `serve` and `analyze` start without a word."""

HEADER = """\
# Written by `histoserve export` from the graph beside it: tensors and its own parameters are the graph's.
# max_batch_size, dynamic_batching, instance_group, optimization and other parameters may be edited; an export keeps
# them.
"""

TRITON_TYPE = {
    onnx.TensorProto.FLOAT: DataType.TYPE_FP32,
    onnx.TensorProto.FLOAT16: DataType.TYPE_FP16,
    onnx.TensorProto.UINT8: DataType.TYPE_UINT8,
    onnx.TensorProto.INT32: DataType.TYPE_INT32,
    onnx.TensorProto.INT64: DataType.TYPE_INT64,
    onnx.TensorProto.BOOL: DataType.TYPE_BOOL,
}


class GraphDoesNotFit(ValueError):
    """The pipeline in the repository expects other tensors than the graph has."""


@dataclass(frozen=True)
class Change:
    """What an export does to one model."""

    model: str
    before: Origin | None
    after: Origin
    dropped: list[str]
    """Settings of the old config that do not hold for an ONNX graph."""
    files: Mapping[Path, bytes]

    @property
    def graph(self) -> Path:
        return next(path for path in self.files if path.name == GRAPH)


def read_config(model: Path) -> ModelConfig:
    """The config in the folder `model`, which names it where the config does not."""
    path = model / "config.pbtxt"
    try:
        config = text_format.Parse(path.read_text(), ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no config of Triton's: {error}") from None
    config.name = config.name or model.name
    return config


def config_from_graph(
    served: ServedGraph, graph: onnx.ModelProto, existing: ModelConfig | None = None
) -> tuple[ModelConfig, list[str]]:
    """The model's config, tensors and parameters from the graph, the rest from `existing`; what of that was dropped."""
    dropped: list[str] = []
    if existing is not None:
        config, dropped = deployment_of(existing)
    else:
        config = ModelConfig(backend=BACKEND, max_batch_size=served.max_batch_size)
        if served.max_batch_size:
            config.dynamic_batching.SetInParent()
        # Triton makes two on a CPU unless told, and each has threads for all cores and a memory of its own.
        config.instance_group.add(count=1)
    config.name = served.model
    if config.max_batch_size and not served.max_batch_size:
        raise GraphDoesNotFit(f"{served.model}: the graph has no batch axis: set max_batch_size in its config to 0")
    # Triton adds the batch axis, the graph's first, to what the config says.
    first = 1 if config.max_batch_size else 0
    for tensors, target in ((graph.graph.input, config.input), (graph.graph.output, config.output)):
        for tensor in tensors:
            kind = tensor.type.tensor_type
            dims = [axis.dim_value or -1 for axis in kind.shape.dim[first:]]
            target.add(name=tensor.name, data_type=TRITON_TYPE[kind.elem_type], dims=dims)
    digest = hashlib.sha256(graph.SerializeToString()).hexdigest()
    for key, value in {**served.parameters, "graph_sha256": digest}.items():
        config.parameters[key].string_value = value
    return config, dropped


def check_fit(
    new: Sequence[ModelConfig],
    repository: Path,
    sizes: Mapping[str, Mapping[str, int]],
    at_once: Mapping[str, Rows] | None = None,
) -> None:
    """GraphDoesNotFit if the pipeline in `repository` passes, expects or promises other tensors than `new` have.

    `new` take the place of the models of their names, all at once. `sizes` are those of `ServedGraph`, and so is
    `at_once`, by model.
    """
    configs = {path.parent.name: read_config(path.parent) for path in sorted(repository.glob("*/config.pbtxt"))}
    configs.update({config.name: config for config in new})
    names = {config.name for config in new}
    pipelines = tuple({name.split("_")[0] + "_" for name in names})
    pipeline = [config for name, config in configs.items() if name.startswith(pipelines)]
    check_sizes(pipeline, sizes)
    check_mpp(pipeline)
    for model, rows in (at_once or {}).items():
        check_batch(configs[model], rows, pipeline, sizes)
    for name in sorted(names):
        callers = [each for each in configs.values() if name in {s.model_name for s in each.ensemble_scheduling.step}]
        if not callers:
            raise GraphDoesNotFit(f"no pipeline in {repository} has a step {name}, so nothing would serve it there")
        for ensemble in callers:
            check_ensemble(ensemble, configs)


def check_batch(
    config: ModelConfig, rows: Rows, pipeline: Sequence[ModelConfig], sizes: Mapping[str, Mapping[str, int]]
) -> None:
    """GraphDoesNotFit if the model takes fewer rows at once than the pipeline gives it."""
    known = {name: [size for size, _ in occurrences(pipeline, name, sizes[name])] for name in rows.sizes}
    if unknown := [name for name, found in known.items() if not found]:
        raise GraphDoesNotFit(f"{config.name} gets {rows} rows at once, but no config says {', '.join(unknown)}")
    least = rows.more + math.prod(found[0] for found in known.values())
    if 0 < config.max_batch_size < least:
        raise GraphDoesNotFit(
            f"{config.name}: max_batch_size {config.max_batch_size} is too small, it gets {rows} = {least} rows at"
            f" once: set it to {least} or more in its config.pbtxt"
        )


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


def check_mpp(configs: Sequence[ModelConfig]) -> None:
    """GraphDoesNotFit if the decoder, which compares windows with it, says another mpp than the network."""
    said = {config.name: config.parameters["mpp"].string_value for config in configs if "mpp" in config.parameters}
    if len(set(said.values())) > 1:
        told = "; ".join(f"{mpp} by {name}" for name, mpp in sorted(said.items()))
        raise GraphDoesNotFit(
            f"mpp: all models of a pipeline must agree, but there are {told}: correct the config.pbtxt that is wrong"
        )


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


def changes(
    repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]], weights: Path | None = None
) -> list[Change]:
    """What an export of the graphs, made of the file `weights`, does to `repository`; nothing is written yet.

    The graphs of one pipeline come together, since they must fit each other: GraphDoesNotFit if one does not.
    """
    result, configs = [], []
    for served, graph in exported:
        model = repository / served.model
        existing = read_config(model) if (model / "config.pbtxt").exists() else None
        config, dropped = config_from_graph(served, graph, existing)
        if shadow := shadow_of(model, config):
            raise GraphDoesNotFit(f"{model}: an export writes version 1, but {shadow}: take that out first")
        content = graph.SerializeToString()
        after = origin_from_weights(content, weights)
        files = {
            model / "config.pbtxt": (HEADER + text_format.MessageToString(config)).encode(),
            model / "1" / FILE: after.to_json(),
            model / "1" / GRAPH: content,
        }
        configs.append(config)
        result.append(Change(served.model, origin_of(model), after, dropped, files))
    sizes = {name: axes for served, _ in exported for name, axes in served.sizes.items()}
    at_once = {served.model: served.at_once for served, _ in exported if served.at_once}
    check_fit(configs, repository, sizes, at_once)
    return result


def write_networks(
    repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]], weights: Path | None = None
) -> list[Path]:
    """Writes graph, config and origin of each model, all or none; returns the graphs' paths."""
    planned = changes(repository, exported, weights)
    write_together({path: content for change in planned for path, content in change.files.items()})
    return [change.graph for change in planned]
