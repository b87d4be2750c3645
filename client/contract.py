"""What a pipeline wants of its client, gathered from the configs of its models on the server.

The server's configs are the one place where it stands; nothing of it is written down here.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from histoserve.client.errors import ServerError

OF_ONE_MODEL = {"graph_sha256"}
"""Parameters that describe a model, not its pipeline: each model may say something else."""

TILES_TAKE = ("TILE", "REGION", "WINDOW", "MPP")
"""Inputs that `<pipeline>_tiles` of every pipeline has."""

MOST = "max_windows"
"""The parameter by which a stage limits the windows of a request."""

HOW_IT_RUNS = {
    "intra_op_thread_count",
    "inter_op_thread_count",
    "execution_mode",
    "enable_mem_arena",
    "enable_mem_pattern",
    "memory.enable_memory_arena_shrinkage",
}
"""Parameters of a backend that change how fast a model answers, not what: two servers may differ in them."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model."""

    name: str
    dtype: str
    """As in a request: BYTES, FP32, …"""
    dims: tuple[int, ...]
    """−1 where the length varies."""


@dataclass(frozen=True)
class ModelConfig:
    """What the server says of one model."""

    name: str
    version: str
    max_batch: int
    """0: the model does not batch."""
    parameters: Mapping[str, str]
    steps: tuple[str, ...] = ()
    """Models that an ensemble runs."""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    """One model as `result.json` names it."""

    name: str
    version: str
    graph_sha256: str | None
    """Of the network's graph, None for a model without one."""


@dataclass(frozen=True)
class Contract:
    """What a pipeline wants of its client."""

    pipeline: str
    parameters: Mapping[str, str]
    inputs: tuple[str, ...]
    """Of `<pipeline>_tiles`."""
    max_batch: int | None
    """Most windows in one request, None for no limit."""
    models: tuple[ModelRecord, ...]
    """By name."""
    clashes: Mapping[str, str] = field(default_factory=dict)
    """In words, each parameter that two models say differently; matters to whoever asks for it."""

    @property
    def tile_px(self) -> int:
        """Side of the network's input."""
        return int(self.number("tile_px"))

    @property
    def any_scale(self) -> bool:
        """Whether pictures of any scale are taken, also of one that nobody knows."""
        return "region_um" in self.parameters and "mpp" not in {*self.parameters, *self.clashes}

    @property
    def mpp(self) -> float:
        """µm/px at which the network was trained; where any scale is taken, at which it sees regions of a slide."""
        return self.number("region_um") / self.tile_px if self.any_scale else self.number("mpp")

    @property
    def margin_px(self) -> float:
        """Network px around a core; a pipeline that says nothing needs none."""
        return self.number("margin_px") if "margin_px" in {*self.parameters, *self.clashes} else 0.0

    @property
    def whole_tiles(self) -> bool:
        """Whether tiles that the slide's border cuts are left out."""
        return self.parameters.get("border") == "drop"

    def number(self, name: str) -> float:
        """A finite parameter ≥ 0; raises ServerError where it is missing or none."""
        text = self.text(name)
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise ServerError(
                f"The server's pipeline {self.pipeline} says {name} = {text!r} in its configs, a number was wanted. "
                "Export its models again."
            )
        return number

    def names(self, name: str) -> tuple[str, ...]:
        """A parameter that lists names, separated by commas."""
        return tuple(each.strip() for each in self.text(name).split(","))

    def text(self, name: str) -> str:
        """A parameter as it stands; raises ServerError where it is missing, or two models contradict each other."""
        if name in self.clashes:
            raise ServerError(f"The server's pipeline {self.pipeline} contradicts itself: {self.clashes[name]}")
        if name not in self.parameters:
            raise ServerError(
                f"The server's pipeline {self.pipeline} says no {name} in the parameters of its configs "
                f"({', '.join(record.name for record in self.models)}). Serve a model repository of this version."
            )
        return self.parameters[name]


def contract_from_configs(pipeline: str, config_of: Callable[[str], ModelConfig]) -> Contract:
    """From `<pipeline>_tiles`, `<pipeline>_slide` and the steps of both; `config_of` asks the server.

    Raises ServerError for a pipeline that takes other pictures and windows than every pipeline.
    """
    tiles = _with_steps(f"{pipeline}_tiles", config_of)
    models = {**tiles, **_with_steps(f"{pipeline}_slide", config_of)}
    inputs = tuple(each.name for each in tiles[f"{pipeline}_tiles"].inputs)
    if missing := [name for name in TILES_TAKE if name not in inputs]:
        raise ServerError(
            f"The server's {pipeline}_tiles does not take {', '.join(missing)}; it takes {', '.join(inputs)}. "
            "Serve a model repository of this version."
        )
    parameters, clashes = _union(models.values())
    limits = [config.max_batch for config in tiles.values() if config.max_batch > 0]
    limits += [int(config.parameters[MOST]) for config in tiles.values() if config.parameters.get(MOST, "").isdigit()]
    return Contract(
        pipeline=pipeline,
        parameters=parameters,
        inputs=inputs,
        max_batch=min(limits, default=None),
        models=tuple(
            ModelRecord(name, models[name].version, models[name].parameters.get("graph_sha256"))
            for name in sorted(models)
        ),
        clashes=clashes,
    )


def difference(one: Contract, other: Contract) -> str | None:
    """In which two servers' contracts differ, as far as a result can depend on it."""
    if one.models != other.models:
        return "the versions of the models"
    return None if deciding(one) == deciding(other) else "the parameters"


def deciding(contract: Contract) -> Contract:
    """The contract without what changes only how fast its models answer."""
    parameters, clashes = (
        {name: text for name, text in each.items() if name not in HOW_IT_RUNS}
        for each in (contract.parameters, contract.clashes)
    )
    return replace(contract, parameters=parameters, clashes=clashes)


def _with_steps(name: str, config_of: Callable[[str], ModelConfig]) -> dict[str, ModelConfig]:
    configs: dict[str, ModelConfig] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in configs:
            configs[each] = config_of(each)
            waiting.extend(configs[each].steps)
    return configs


def _union(configs: Iterable[ModelConfig]) -> tuple[dict[str, str], dict[str, str]]:
    """What all models say together, and what two of them say differently."""
    union: dict[str, tuple[str, str]] = {}
    clashes: dict[str, str] = {}
    for config in sorted(configs, key=lambda each: each.name):
        for name, text in config.parameters.items():
            # Triton's own parameters (EXECUTION_ENV_PATH, …) are in capitals and concern one model.
            if name in OF_ONE_MODEL or name.isupper():
                continue
            said, by = union.setdefault(name, (text, config.name))
            if said != text:
                clashes[name] = (
                    f"{by} says {name} = {said!r}, {config.name} says {text!r}. "
                    "Correct one config and load the model again."
                )
    return {name: text for name, (text, _) in union.items() if name not in clashes}, clashes
