"""A model repository that serves just the markers of a run, made of the one that serves four."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

PIPELINE = "biomarker"
ROWS = f"{PIPELINE}_rows"
OF_MARKER = {"": "READING", "TUMOUR_": "TUMOUR", "NETWORK_": "NETWORK"}
"""What stands before a marker's name in the inputs of `ROWS`, and which output of its network that is."""


def repository_for(markers: Sequence[str], models: Path, folder: Path) -> Path:
    """In `folder`, anew: the pipeline's models out of `models`, with these markers, and no networks yet.

    ValueError if `models` does not hold the pipeline.
    """
    if not (models / f"{PIPELINE}_tiles").is_dir():
        raise ValueError(f"{models} holds no {PIPELINE}_tiles: name a repository that does with --models")
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("decode", "rows", "slide", "tiles"):
        shutil.copytree(models / f"{PIPELINE}_{part}", folder / f"{PIPELINE}_{part}")
    _change(folder / f"{PIPELINE}_tiles", _tiles, markers)
    _change(folder / ROWS, _rows, markers)
    _change(folder / f"{PIPELINE}_slide", _sizes, markers)
    return folder


def _change(model: Path, how: Callable[[ModelConfig, Sequence[str]], None], markers: Sequence[str]) -> None:
    file = model / "config.pbtxt"
    config = text_format.Parse(file.read_text(), ModelConfig())
    how(config, markers)
    file.write_text(text_format.MessageToString(config))


def _sizes(config: ModelConfig, markers: Sequence[str]) -> None:
    """Of every tensor that holds a column, or a row, a marker."""
    for tensor in [*config.input, *config.output]:
        if tensor.name == "READING":
            tensor.dims[-1] = len(markers)
        if tensor.name == "TOP":
            tensor.dims[0] = len(markers)


def _rows(config: ModelConfig, markers: Sequence[str]) -> None:
    _sizes(config, markers)
    shared = [each for each in config.input if each.name in ("REGION", "DECODER")]
    first = list(config.input[: len(OF_MARKER)])
    del config.input[:]
    for marker in markers:
        for prefix, like in zip(OF_MARKER, first, strict=True):
            config.input.add().CopyFrom(like)
            config.input[-1].name = f"{prefix}{marker.upper()}"
    config.input.extend(shared)
    config.parameters["markers"].string_value = ",".join(markers)


def _tiles(config: ModelConfig, markers: Sequence[str]) -> None:
    _sizes(config, markers)
    steps = config.ensemble_scheduling.step
    decode, network, rows = steps[0], steps[1], steps[-1]
    shared = {name: rows.input_map[name] for name in ("REGION", "DECODER")}
    made = [decode]
    rows.input_map.clear()
    rows.input_map.update(shared)
    for marker in markers:
        step = type(network)()
        step.CopyFrom(network)
        step.model_name = f"{PIPELINE}_{marker}_network"
        for prefix, output in OF_MARKER.items():
            step.output_map[output] = rows.input_map[f"{prefix}{marker.upper()}"] = f"{prefix.lower()}{marker}"
        made.append(step)
    kept = [type(each).FromString(each.SerializeToString()) for each in (*made, rows)]
    del steps[:]
    steps.extend(kept)
