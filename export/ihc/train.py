"""Trains the network for stained cells: real nuclei stained by lot, and phantoms; from the weights of `nuclei` on."""

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
from histoserve.export.ihc.phantoms import kept_tiles, phantom_crop
from histoserve.export.ihc.validation import score_network, validation_tiles
from histoserve.export.nuclei.loss import cost_matrix, cost_sensitive, distance_loss
from histoserve.export.nuclei.network import NucleiNetwork
from histoserve.export.nuclei.tiles import VALIDATION_TILES, LabelledTile, distances
from histoserve.export.nuclei.train import Batch
from histoserve.export.options import Data, Epochs, Out, Seed, Steps, Width
from histoserve.export.overlap import dice
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
REAL_SHARE = 0.5
"""Part of the crops that come from real nuclei stained by lot."""
PHANTOMS, VALIDATED = 120, 6
"""Slides; and how many more of them choose the epoch."""
LIKE = (3, 3, 2, 2)
"""Types of `nuclei` (epithelial, inflammatory) whose weights each type here starts from."""

STANDARDISE = Standardise()

Nuclei = Annotated[Path | None, Option(metavar="FILE", help="Weights of nuclei to start from.")]
Start = Annotated[Path | None, Option(metavar="FILE", help="Weights of this network to start from.")]
Phantoms = Annotated[int, Option(min=0, help="Slides to draw, two tiles of each.")]


def targets(crop: StainedTile) -> tuple[np.ndarray, ...]:
    inner = slice(FRAME_PX, -FRAME_PX)
    kinds = crop.type_of[crop.instances].astype(np.int64)
    away = distances(crop.instances)[:, inner, inner]
    return crop.image[inner, inner], crop.instances[inner, inner] > 0, away, kinds[inner, inner]


class Batches(Dataset[Batch]):
    """Batch n of a training: the same for the same seed and n, whoever makes it."""

    def __init__(self, consep: list[LabelledTile], phantoms: list[StainedTile], seed: int):
        self.consep, self.phantoms, self.seed = consep, phantoms, seed

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng((self.seed, number))
        parts = zip(*(targets(self.crop(random)) for _ in range(BATCH)), strict=True)
        image, nucleus, distance, kind = (torch.from_numpy(np.stack(part)) for part in parts)
        return Batch(image, nucleus, distance, kind)

    def crop(self, random: np.random.Generator) -> StainedTile:
        side = CROP_PX + 2 * FRAME_PX
        if not self.phantoms or (self.consep and random.random() < REAL_SHARE):
            return stained_crop(self.consep[random.integers(len(self.consep))], side, random)
        return phantom_crop(self.phantoms[random.integers(len(self.phantoms))], side, random)

    def epoch(self, number: int, steps: int) -> DataLoader[Batch]:
        return DataLoader(self, batch_size=None, sampler=range(number * steps, (number + 1) * steps))


def loss(network: nn.Module, batch: Batch, costs: Tensor) -> Tensor:
    ns, ni, nc = network(STANDARDISE(batch.image).contiguous())
    nucleus = batch.instance.long()
    total = nn.functional.cross_entropy(ns, nucleus) + dice(ns, nucleus)
    total = total + distance_loss(ni, batch.distances, batch.instance, SLOPE_WEIGHT)
    return total + cost_sensitive(nc, batch.type, costs, COST_WEIGHT) + dice(nc, batch.type)


def started(width: float, nuclei: Path | None, start: Path | None) -> NucleiNetwork:
    """A network of `width` with the weights in `start`, or those of `nuclei`; ValueError where they do not fit."""
    network = NucleiNetwork(width, len(TYPES))
    given = start or nuclei
    if given is None:
        return network
    weights = weights_from_file(given)
    if start is None:
        for part in ("weight", "bias"):
            weights[f"decoders.nc.head.{part}"] = weights[f"decoders.nc.head.{part}"][[0, *LIKE]]
    try:
        network.load_state_dict(weights)
    except (RuntimeError, LookupError) as error:
        raise ValueError(f"{given} does not fit a network of width {width:g}: {error}") from None
    return network


def train(
    data: Data,
    out: Out,
    *,
    nuclei: Nuclei = None,
    start: Start = None,
    phantoms: Phantoms = PHANTOMS,
    width: Width = NARROW,
    epochs: Epochs = EPOCHS,
    steps: Steps = None,
    seed: Seed = 0,
) -> Path:
    """Trains on phantoms, and on the tiles of `data/consep`, if it is there, stained by lot.

    Returns the path of the best epoch's weights; the phantoms' tiles are kept in `out/tiles`.
    """
    torch.manual_seed(seed)
    consep = halved_tiles(data / "consep") if (data / "consep").is_dir() else []
    drawn = kept_tiles(out / "tiles", range(phantoms + VALIDATED))
    validation = validation_tiles([tile for tile in consep if tile.name in VALIDATION_TILES], drawn[-2 * VALIDATED :])
    seen = [tile for tile in consep if tile.name not in VALIDATION_TILES]
    data_set, costs = Batches(seen, drawn[: -2 * VALIDATED], seed), cost_matrix(ROW_COSTS)
    each = steps or STEPS
    training = Training(
        started(width, nuclei, start),
        batches=lambda epoch: data_set.epoch(epoch, each),
        steps=each,
        loss=lambda network, item: loss(network, item, costs),
        score=lambda network: score_network(network, validation),
        rate=RATE,
        made_of={"seed": seed, "width": width, "tiles": len(seen), "phantoms": phantoms, "start": str(start or nuclei)},
    )
    return fit(training, epochs, out)
