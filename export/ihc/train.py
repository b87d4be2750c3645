"""Trains the network for stained cells on real nuclei stained by lot, from the weights of `nuclei` on."""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from typer import Option

from histoserve.export.fit import Training, fit
from histoserve.export.ihc.crops import StainedTile, halved_tiles, stained_crop
from histoserve.export.ihc.network import TYPES
from histoserve.export.ihc.validation import score_network, validation_tiles
from histoserve.export.nuclei.loss import cost_matrix, cost_sensitive, distance_loss
from histoserve.export.nuclei.network import NucleiNetwork
from histoserve.export.nuclei.tiles import VALIDATION_TILES, LabelledTile, distances
from histoserve.export.nuclei.train import Batch
from histoserve.export.options import Data, Epochs, Out, Seed, Steps, Width
from histoserve.export.overlap import dice
from histoserve.export.repository import INSTALLED
from histoserve.export.standardise import Standardise
from histoserve.export.weight_file import weights_from_file

NARROW = 0.125
EPOCHS, STEPS = 8, 60
BATCH, RATE = 6, 1.5e-3
CROP_PX, FRAME_PX = 96, 16
"""48 µm, and what is cut around them so that nuclei on the border are measured from their true centres."""
ROW_COSTS = (1.0, 2.0, 3.0, 2.0, 3.0)
"""Background, then the types: positive ones are rarer."""
COST_WEIGHT = 0.2
SLOPE_WEIGHT = 5.0
"""A quarter of that at 0.25 µm/px, where slopes are half as steep."""
LIKE = (3, 3, 2, 2)
"""Types of `nuclei` (epithelial, inflammatory) whose weights each type here starts from."""

STANDARDISE = Standardise()

Start = Annotated[Path | None, Option(help="Weights of nuclei, or of this network, to start from; without: nothing.")]


def targets(crop: StainedTile) -> tuple[np.ndarray, ...]:
    inner = slice(FRAME_PX, -FRAME_PX)
    kinds = crop.type_of[crop.instances].astype(np.int64)
    away = distances(crop.instances)[:, inner, inner]
    return crop.image[inner, inner], crop.instances[inner, inner] > 0, away, kinds[inner, inner]


class Batches(Dataset[Batch]):
    """Batch n of a training: the same for the same seed and n, whoever makes it."""

    def __init__(self, tiles: list[LabelledTile], seed: int):
        self.tiles, self.seed = tiles, seed

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng((self.seed, number))
        side = CROP_PX + 2 * FRAME_PX
        crops = [stained_crop(self.tiles[random.integers(len(self.tiles))], side, random) for _ in range(BATCH)]
        parts = zip(*map(targets, crops), strict=True)
        image, nucleus, distance, kind = (torch.from_numpy(np.stack(part)) for part in parts)
        return Batch(image, nucleus, distance, kind)

    def epoch(self, number: int, steps: int) -> DataLoader[Batch]:
        return DataLoader(self, batch_size=None, sampler=range(number * steps, (number + 1) * steps))


def loss(network: nn.Module, batch: Batch, costs: Tensor) -> Tensor:
    ns, ni, nc = network(STANDARDISE(batch.image).contiguous())
    nucleus = batch.instance.long()
    total = nn.functional.cross_entropy(ns, nucleus) + dice(ns, nucleus)
    total = total + distance_loss(ni, batch.distances, batch.instance, SLOPE_WEIGHT)
    return total + cost_sensitive(nc, batch.type, costs, COST_WEIGHT) + dice(nc, batch.type)


def started(width: float, start: Path | None) -> NucleiNetwork:
    """A network of `width`, or with the weights in `start`; ValueError where they fit none."""
    network = NucleiNetwork(width, len(TYPES))
    if start is None:
        return network
    weights = weights_from_file(start)
    if weights["decoders.nc.head.weight"].shape[0] == 1 + len(TYPES) and "ihc" not in start.name:
        for part in ("weight", "bias"):
            head = weights[f"decoders.nc.head.{part}"]
            weights[f"decoders.nc.head.{part}"] = head[[0, *LIKE]]
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{start} does not fit a network of width {width:g}: {error}") from None
    return network


def train(
    data: Data,
    out: Out,
    *,
    start: Start = None,
    width: Width = NARROW,
    epochs: Epochs = EPOCHS,
    steps: Steps = None,
    seed: Seed = 0,
) -> Path:
    """Trains on the tiles of `data/consep`, stained by lot; returns the path of the best epoch's weights."""
    torch.manual_seed(seed)
    tiles = halved_tiles(data / "consep")
    validation = validation_tiles([tile for tile in tiles if tile.name in VALIDATION_TILES])
    seen = [tile for tile in tiles if tile.name not in VALIDATION_TILES]
    data_set, costs = Batches(seen, seed), cost_matrix(ROW_COSTS)
    each = steps or STEPS
    training = Training(
        started(width, start),
        batches=lambda epoch: data_set.epoch(epoch, each),
        steps=each,
        loss=lambda network, item: loss(network, item, costs),
        score=lambda network: score_network(network, validation),
        rate=RATE,
        made_of={"seed": seed, "width": width, "tiles": len(seen), "start": str(start)},
    )
    return fit(training, epochs, out)
