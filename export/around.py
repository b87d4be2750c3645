"""The stages around a network, by its pipeline's ensembles: where it is compiled for one batch, they fill batches up.

stage ─IMAGE or another batch, filled up─▶ network ─▶ stage that leaves out what was added, where it takes DECODER
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.ensemble.padding import BATCHES, DECODER, PARAMETER
from histoserve.export.accelerated import CONFIGS, NAME
from histoserve.export.config import GraphDoesNotFit, read_config


def of_one_shape(config: ModelConfig, repository: Path) -> bool:
    """Whether the model takes no batches, nor anything of a free size, or stages can fill all its batches up."""
    if config.max_batch_size:
        return bool(stages_around(config, repository))
    return all(extent > 0 for tensor in config.input for extent in tensor.dims)


def stages_around(config: ModelConfig, repository: Path) -> list[ModelConfig]:
    """Configs of the stages that make the model's batches or take its rows, none of a model without batches."""
    found: set[str] = set()
    for steps in _ensembles(config.name.partition("_")[0], repository):
        for own in (step for step in steps if step.model_name == config.name and config.max_batch_size):
            given, rows = set(own.input_map.values()), set(own.output_map.values())
            for step in steps:
                makes = {step.output_map[name] for name in BATCHES if name in step.output_map}
                takes = set(step.input_map.values()) if DECODER in step.input_map else set()
                if makes & given or takes & rows:
                    found.add(step.model_name)
    return [read_config(repository / stage) for stage in sorted(found)]


def _ensembles(pipeline: str, repository: Path) -> Iterator[Sequence[Any]]:
    """Steps of each."""
    for path in sorted(repository.glob(f"{pipeline}_*/config.pbtxt")):
        yield read_config(path.parent).ensemble_scheduling.step


def require_padding(config: ModelConfig, repository: Path) -> None:
    """GraphDoesNotFit unless all stages around the model fill batches up to the rows that it is compiled for."""
    rows = config.max_batch_size
    for stage in stages_around(config, repository):
        said = stage.parameters[PARAMETER].string_value if PARAMETER in stage.parameters else "none"
        if said != str(rows):
            raise GraphDoesNotFit(
                f"{stage.name} has {PARAMETER} {said}, and {config.name} is compiled for {rows} rows: put"
                f' parameters {{ key: "{PARAMETER}" value {{ string_value: "{rows}" }} }} into'
                f" {repository / stage.name / 'config.pbtxt'}"
            )


def padded_stages(config: ModelConfig, repository: Path) -> dict[Path, bytes]:
    """File → content: the stages' configs that go with the model's plan, and fill batches up to its rows."""
    files = {}
    for stage in stages_around(config, repository):
        stage.parameters[PARAMETER].string_value = str(config.max_batch_size)
        said = f"# As ../config.pbtxt, for the plan of {config.name}.\n{text_format.MessageToString(stage)}"
        files[repository / stage.name / CONFIGS / NAME] = said.encode()
    return files
