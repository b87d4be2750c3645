"""Which models of a repository can be served."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.deploy.local.wheel import LocalTritonError

PUBLIC = ("tiles", "slide")
"""Endings of a pipeline's two models that clients call; each brings the models of its steps."""


def models_of(repository: Path) -> list[str]:
    """The models that a repository holds whole: folders with a `config.pbtxt`, ensembles only with all of their steps.

    An ensemble whose network was not exported yet is left out, so that the other pipelines can be served.
    """
    steps = {path.parent.name: _steps(path) for path in repository.glob("*/config.pbtxt")}
    if not steps:
        raise LocalTritonError(f"no model in {repository}: expected folders with a config.pbtxt in each")
    return sorted(name for name, parts in steps.items() if parts <= steps.keys())


class LackingModelsError(LocalTritonError):
    """A pipeline is asked for that a repository does not hold whole."""


def models_for(pipelines: Iterable[str], repository: Path) -> list[str]:
    """The two public models of each pipeline. Raises LackingModelsError if one, or what it needs, is not there."""
    whole = models_of(repository)
    models = [f"{pipeline}_{part}" for pipeline in pipelines for part in PUBLIC]
    if missing := set(models).difference(whole):
        there = [name.removesuffix(f"_{PUBLIC[0]}") for name in whole if name.endswith(f"_{PUBLIC[0]}")]
        raise LackingModelsError(
            f"{repository} lacks {', '.join(sorted(missing))}, or a network that they need: "
            f"it serves {', '.join(there) or 'no pipeline'}; histoserve export makes what is missing"
        )
    return models


def _steps(path: Path) -> set[str]:
    try:
        # What only a newer server knows is for the server to judge.
        config = text_format.Parse(path.read_bytes(), ModelConfig(), allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise LocalTritonError(f"{path} is no config of Triton's: {error}") from None
    except OSError as error:
        raise LocalTritonError(f"cannot read {path} ({error.strerror})") from None
    return {step.model_name for step in config.ensemble_scheduling.step}
