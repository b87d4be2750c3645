"""Trains the nuclei network on CoNSeP (types) and the 2018 Data Science Bowl (outlines only)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from histoserve.export.networks.nuclei import NucleiNetwork
from histoserve.export.training.fit import ahead, fit
from histoserve.export.training.loss import cost_matrix, cost_sensitive, dice, distance_loss
from histoserve.export.training.tiles import (
    VALIDATION_TILES,
    LabelledTile,
    consep_tiles,
    distances,
    dsb_tiles,
    random_crop,
    vary_stain,
)

NARROW = 0.125
"""Width of the network that two CPU cores train in two hours; 1.0 is the document's."""
EPOCHS = 60
BATCH, RATE = 8, 2e-3
"""Without ImageNet's weights to start from the rate is higher than the 1e-4 of SMILE 2023."""
CROP_PX = 256
FRAME_PX = 32
"""Cut around a crop so that nuclei on its border are measured from their true centres, then dropped."""
ROW_COSTS = (1.0, 10.0, 10.0, 2.0, 2.0)
"""Background 1; of the types, in label order, the two frequent ones 2, the two rarer ones 10 (SMILE 2023)."""
COST_WEIGHT = 0.2
UNTYPED_SHARE = 0.2
"""Part of the crops that come from tiles without types."""


@dataclass(frozen=True)
class Batch:
    image: Tensor
    """float32 (B, 3, H, W), standardised"""
    instance: Tensor
    """bool (B, H, W)"""
    distances: Tensor
    """float32 (B, 2, H, W)"""
    type: Tensor
    """int64 (B, H, W), −100 (no loss) in crops without types"""


def standardised(images: np.ndarray) -> Tensor:
    """uint8 (B, H, W, 3) → float32 (B, 3, H, W) with ImageNet's mean and deviation, as the exported graph does."""
    from histoserve.export.graph import DEVIATION, MEAN

    values = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    values = (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    return values.contiguous(memory_format=torch.channels_last)


def crop(tile: LabelledTile, random: np.random.Generator) -> tuple[np.ndarray, ...]:
    image, instances = random_crop(tile, CROP_PX + 2 * FRAME_PX, random)
    inner = slice(FRAME_PX, -FRAME_PX)
    kinds = tile.type_of[instances].astype(np.int64)
    if not tile.typed:
        kinds[:] = -100
    targets = distances(instances)[:, inner, inner]
    return vary_stain(image[inner, inner], random), instances[inner, inner] > 0, targets, kinds[inner, inner]


def batches(tiles: list[LabelledTile], size: int, steps: int, seed: int, epoch: int) -> Iterator[Batch]:
    """One epoch's batches, made one ahead; the same for the same seed and epoch."""
    typed = [tile for tile in tiles if tile.typed]
    untyped = [tile for tile in tiles if not tile.typed]

    def make(step: int) -> Batch:
        random = np.random.default_rng((seed, epoch, step))
        crops = []
        for _ in range(size):
            pool = untyped if untyped and random.random() < UNTYPED_SHARE else typed
            crops.append(crop(pool[random.integers(len(pool))], random))
        image, nucleus, distance, kind = (np.stack(part) for part in zip(*crops, strict=True))
        return Batch(standardised(image), *(torch.from_numpy(part) for part in (nucleus, distance, kind)))

    return ahead(make, steps)


def loss(network: nn.Module, batch: Batch, costs: Tensor) -> Tensor:
    ns, ni, nc = network(batch.image)
    nucleus = batch.instance.long()
    total = nn.functional.cross_entropy(ns, nucleus) + dice(ns, nucleus)
    total = total + distance_loss(ni, batch.distances, batch.instance)
    typed = (batch.type >= 0).all((1, 2))
    if typed.any():
        kind = batch.type[typed]
        total = total + cost_sensitive(nc[typed], kind, costs, COST_WEIGHT) + dice(nc[typed], kind)
    return total


def train(data: Path, out: Path, *, width: float | None = None, epochs: int = EPOCHS, seed: int = 0) -> Path:
    """Trains on `data/consep` and, if it is there, `data/dsb2018_he`; returns the path of the best epoch's weights."""
    from histoserve.export.training.pixels import score_pixels

    torch.manual_seed(seed)
    consep = list(consep_tiles(data / "consep"))
    training = [tile for tile in consep if tile.name not in VALIDATION_TILES]
    validation = [tile for tile in consep if tile.name in VALIDATION_TILES]
    pixels = sum(tile.instances.size for tile in training)
    if (data / "dsb2018_he").is_dir():
        training += dsb_tiles(data / "dsb2018_he")
    steps = round(pixels / CROP_PX**2 / (1 - UNTYPED_SHARE) / BATCH)
    costs = cost_matrix(ROW_COSTS)
    return fit(
        NucleiNetwork(width or NARROW).to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        batches=lambda epoch: batches(training, BATCH, steps, seed, epoch),
        steps=steps,
        loss=lambda network, item: loss(network, item, costs),
        score=lambda network: score_pixels(network, validation),
        epochs=epochs,
        highest_rate=RATE,
        out=out,
    )
