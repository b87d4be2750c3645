"""Trains the nuclei network on CoNSeP (types) and the 2018 Data Science Bowl (outlines only)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from histoserve.export.fit import Training, fit
from histoserve.export.nuclei.loss import cost_matrix, cost_sensitive, distance_loss
from histoserve.export.nuclei.network import NucleiNetwork
from histoserve.export.nuclei.tiles import (
    VALIDATION_TILES,
    LabelledTile,
    consep_tiles,
    distances,
    dsb_tiles,
    random_crop,
    vary_stain,
)
from histoserve.export.nuclei.validation import rules_from_config, score_network
from histoserve.export.options import Data, Epochs, Out, Seed, Steps, Width
from histoserve.export.overlap import dice
from histoserve.export.repository import INSTALLED
from histoserve.export.standardise import Standardise

TRAINED_ON = "CoNSeP and, where it is there, H&E of the 2018 Data Science Bowl; five tiles of CoNSeP choose the epoch"
"""In the passport of what is served of it."""
NARROW = 0.125
"""Width of the network that two CPU cores train in two hours; 1.0 is the document's."""
EPOCHS = 36
BATCH, RATE = 8, 2e-3
"""Without ImageNet's weights to start from the rate is higher than the 1e-4 of SMILE 2023."""
WATERSHED = INSTALLED / "nuclei_watershed"
"""An epoch is as good as the nuclei that the served stage finds by it."""
CROP_PX = 256
FRAME_PX = 32
"""Cut around a crop so that nuclei on its border are measured from their true centres, then dropped."""
ROW_COSTS = (1.0, 10.0, 10.0, 2.0, 2.0)
"""Background 1; of the types, in label order, the two frequent ones 2, the two rarer ones 10 (SMILE 2023)."""
COST_WEIGHT = 0.2
UNTYPED_SHARE = 0.2
"""Part of the crops that come from tiles without types."""


STANDARDISE = Standardise()


class Batch(NamedTuple):
    image: Tensor
    """uint8 (B, H, W, 3)"""
    instance: Tensor
    """bool (B, H, W)"""
    distances: Tensor
    """float32 (B, 2, H, W)"""
    type: Tensor
    """int64 (B, H, W), −100 (no loss) in crops without types"""


def crop(tile: LabelledTile, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    image, instances = random_crop(tile, CROP_PX + 2 * FRAME_PX, random)
    inner = slice(FRAME_PX, -FRAME_PX)
    kinds = tile.type_of[instances].astype(np.int64)
    if not tile.typed:
        kinds[:] = -100
    targets = distances(instances)[:, inner, inner]
    return vary_stain(image[inner, inner], random), instances[inner, inner] > 0, targets, kinds[inner, inner]


class Batches(Dataset[Batch]):
    """Batch n of a training: the same for the same seed and n, whoever makes it."""

    def __init__(self, tiles: list[LabelledTile], seed: int):
        self.typed = [tile for tile in tiles if tile.typed]
        self.untyped = [tile for tile in tiles if not tile.typed]
        self.seed = seed

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng((self.seed, number))
        crops = []
        for _ in range(BATCH):
            pool = self.untyped if self.untyped and random.random() < UNTYPED_SHARE else self.typed
            crops.append(crop(pool[random.integers(len(pool))], random))
        image, nucleus, distance, kind = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        return Batch(image, nucleus, distance, kind)

    def epoch(self, number: int, steps: int) -> DataLoader[Batch]:
        # In a process of its own: a thread would share Python's lock with the network's thousand small calls.
        numbers = range(number * steps, (number + 1) * steps)
        return DataLoader(self, batch_size=None, sampler=numbers, num_workers=1, prefetch_factor=4)


def loss(network: nn.Module, batch: Batch, costs: Tensor) -> Tensor:
    ns, ni, nc = network(STANDARDISE(batch.image).contiguous())
    nucleus = batch.instance.long()
    total = nn.functional.cross_entropy(ns, nucleus) + dice(ns, nucleus)
    total = total + distance_loss(ni, batch.distances, batch.instance)
    typed = (batch.type >= 0).all((1, 2))
    if typed.any():
        kind = batch.type[typed]
        total = total + cost_sensitive(nc[typed], kind, costs, COST_WEIGHT) + dice(nc[typed], kind)
    return total


def train(
    data: Data,
    out: Out,
    *,
    width: Width = NARROW,
    epochs: Epochs = EPOCHS,
    steps: Steps = None,
    seed: Seed = 0,
) -> Path:
    """Trains on `data/consep` and, if it is there, `data/dsb2018_he`; returns the path of the best epoch's weights.

    An epoch is `steps` batches; without it, as many as cover the typed tiles once.
    """
    torch.manual_seed(seed)
    consep = list(consep_tiles(data / "consep"))
    seen = [tile for tile in consep if tile.name not in VALIDATION_TILES]
    validation = [tile for tile in consep if tile.name in VALIDATION_TILES]
    pixels = sum(tile.instances.size for tile in seen)
    if (data / "dsb2018_he").is_dir():
        seen += dsb_tiles(data / "dsb2018_he")
    each = steps or round(pixels / CROP_PX**2 / (1 - UNTYPED_SHARE) / BATCH)
    data_set = Batches(seen, seed)
    costs = cost_matrix(ROW_COSTS)
    rules = rules_from_config(WATERSHED)
    training = Training(
        # Not channels_last: there PyTorch 2.13's gradients end the process on some CPUs with AVX-512 (seen: EPYC).
        NucleiNetwork(width),
        batches=lambda epoch: data_set.epoch(epoch, each),
        steps=each,
        loss=lambda network, item: loss(network, item, costs),
        score=lambda network: score_network(network, validation, rules),
        rate=RATE,
        made_of={"seed": seed, "width": width, "tiles": len(seen)},
    )
    return fit(training, epochs, out)
