"""Trains the head, and the two baselines, on the same bags in the same way."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.fit import ahead, fit
from histoserve.export.peakmap.bags import Bag, Rows, bag_of, made_up, turned
from histoserve.export.peakmap.baselines import MeanOfTiles, Statistics
from histoserve.export.peakmap.logits import LOGITS
from histoserve.export.peakmap.network import Head
from histoserve.export.weight_file import load

EPOCHS, STEPS, BATCH, RATE = 72, 50, 32, 1e-3
VALIDATION_BAGS = 300
"""Made up of the validation slides, beside those slides themselves."""


def networks(maps: tuple[int, int, int], features: int) -> dict[str, nn.Module]:
    """For feature maps c, h, w and tile features of this length."""
    return {"head": Head(maps), "mean": MeanOfTiles(features), "statistics": Statistics()}


def label_of(bags: list[Bag]) -> Tensor:
    return torch.tensor([bag.label for bag in bags])


def entropy(logits: Callable[..., Tensor], network: nn.Module, bags: list[Bag]) -> Tensor:
    return functional.cross_entropy(logits(network, bags), label_of(bags))


def figures(network: nn.Module, logits: Callable[..., Tensor], bags: list[Bag]) -> dict[str, float]:
    with torch.no_grad():
        found = torch.cat([logits(network, bags[start : start + BATCH]) for start in range(0, len(bags), BATCH)])
    truth = label_of(bags)
    return {
        "minus entropy": -float(functional.cross_entropy(found, truth)),
        "accuracy": float((found.argmax(1) == truth).float().mean()),
    }


def train_heads(
    training: list[Rows], validation: list[Rows], out: Path, *, k: int, threshold: float, seed: int
) -> dict[str, dict[str, Tensor]]:
    """Weights of the head and of each baseline."""

    def batches(epoch: int) -> Iterator[list[Bag]]:
        def make(step: int) -> list[Bag]:
            random = np.random.default_rng((seed, epoch, step))
            return [turned(bag_of(made_up(training, random), k, threshold), random) for _ in range(BATCH)]

        return ahead(make, STEPS)

    random = np.random.default_rng(seed)
    held = [bag_of(rows, k, threshold) for rows in validation]
    held += [bag_of(made_up(validation, random), k, threshold) for _ in range(VALIDATION_BAGS)]
    torch.manual_seed(seed)
    shape = held[0].maps.shape[1:]
    weights: dict[str, dict[str, Any]] = {}
    for name, network in networks((shape[0], shape[1], shape[2]), held[0].feature.shape[1]).items():
        logits = LOGITS[name]
        best = fit(
            network,
            batches=batches,
            steps=STEPS,
            loss=partial(entropy, logits),
            score=partial(figures, logits=logits, bags=held),
            epochs=EPOCHS,
            highest_rate=RATE,
            out=out / name,
            configuration={"seed": seed, "slides": len(training)},
        )
        weights[name] = load(best)
    return weights
