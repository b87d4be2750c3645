"""Do the models of a pipeline agree: does each pass what the next one expects, of the sizes that all share?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.served import Rows


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
