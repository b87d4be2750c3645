"""What an interrupted training goes on from, to the last bit, and of which training it is."""

import math
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from histoserve.export.weight_file import load, save

COPIES = 5
"""Of the network's weights: itself, its average, AdamW's two moments, and the best average in a file of its own."""


@dataclass
class Progress:
    """How far a training is."""

    epoch: int = 0
    """Epochs done"""
    figures: dict[str, float] = field(default_factory=dict)
    """Of the best of them; the first decides"""
    best_epoch: int = 0
    """Which one that was, from 1; 0 for none"""

    @property
    def best(self) -> float:
        return next(iter(self.figures.values()), -math.inf)


def random_state() -> dict[str, Any]:
    """Of all generators that a training may draw from without a seed of its own: dropout draws from PyTorch's."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(np.asarray(keys, np.int64)), *rest],
        "python": random.getstate(),
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])


def write_checkpoint(
    path: Path, progress: Progress, parts: Mapping[str, Any], configuration: Mapping[str, object]
) -> None:
    """`parts` by name, each with a `state_dict`."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state |= {"epoch": progress.epoch, "figures": progress.figures, "best_epoch": progress.best_epoch}
    state["random"] = random_state()
    save({**state, "configuration": {name: str(value) for name, value in configuration.items()}}, path)


def read_checkpoint(path: Path, parts: Mapping[str, Any], configuration: Mapping[str, object]) -> Progress:
    """Restores `parts` and the random state; ValueError if the file is damaged or of another training."""
    other = "give another -o, or remove the file to begin anew"
    try:
        state = load(path)
    except ValueError as error:
        raise ValueError(f"cannot go on: {error}; {other}") from None
    if not isinstance(state, dict) or not {*parts, "epoch", "figures", "random", "configuration"} <= state.keys():
        raise ValueError(f"cannot go on: {path} is no checkpoint of this version of histoserve; {other}")
    before = state["configuration"]
    for name, value in configuration.items():
        if before.get(name) != str(value):
            raise ValueError(
                f"cannot go on: the training in {path} has {name} {before.get(name)}, and now it is {value}: "
                f"give the same as then, or another -o"
            )
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        restore_random_state(state["random"])
        figures = {str(name): float(value) for name, value in state["figures"].items()}
        # Checkpoints of before there was a patience do not say it.
        best = state["best_epoch" if "best_epoch" in state else "epoch"]
        return Progress(int(state["epoch"]), figures, int(best))
    except (LookupError, RuntimeError, ValueError, TypeError, AttributeError):
        raise ValueError(f"cannot go on: {path} is the checkpoint of another network; {other}") from None


def require_room(folder: Path, network: nn.Module) -> None:
    """OSError, before hours of work, if a first checkpoint does not fit on the disk."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    free = shutil.disk_usage(folder).free
    if free < COPIES * weights:
        need = f"{COPIES * weights / 2**20:.0f} MiB are needed, {free / 2**20:.0f} MiB are free"
        raise OSError(28, f"no room for a checkpoint, {need}", str(folder))
