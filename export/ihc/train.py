"""Trains the network for stained cells on real nuclei of H&E, stained by lot, and on phantoms."""

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from typer import Option

from histoserve.export.fit import Training, fit
from histoserve.export.ihc.calibrate import calibrated
from histoserve.export.ihc.crops import StainedTile, stained_crop
from histoserve.export.ihc.drawn import kept, turned_crop
from histoserve.export.ihc.network import StainedNetwork, network_from_weights
from histoserve.export.ihc.validation import held_out, score_network
from histoserve.export.nuclei.loss import distance_loss
from histoserve.export.nuclei.tiles import VALIDATION_TILES, LabelledTile, consep_tiles, distances, dsb_tiles
from histoserve.export.options import Data, Epochs, Out, Seed, Steps
from histoserve.export.overlap import dice
from histoserve.export.weight_file import save_with_score, sha256_of, weights_from_file

TRAINED_ON = (
    "phantoms and, where it is there, CoNSeP and the 2018 Data Science Bowl, stained by lot; others choose the epoch"
)
"""In the passport of what is served of it."""
EPOCHS, STEPS = 5, 160
BATCH, RATE = 8, 4e-3
CROP_PX = 224
FRAME_PX = 16
"""Cut around a crop so that nuclei on its border are measured from their true centres, then dropped."""
PHANTOMS, VALIDATED = 80, 6
"""Slides, three tiles of each at most; and how many more of them choose the epoch."""
SHARES = (0.45, 0.15, 0.4)
"""Of the crops, from CoNSeP, from tiles without types, and from phantoms; what is not there, others make up for.

CoNSeP calls all epithelium by one name, so phantoms alone tell that of normal glands from tumour.
"""

CALIBRATED = "calibrated.pt"

Phantoms = Annotated[int, Option(min=0, help="Slides to draw, three tiles of each.")]
Weights = Annotated[Path | None, Option(help="Of this network, to start from; nothing without.")]
Rate = Annotated[float, Option(min=0, help="The highest learning rate.")]


class Batch(NamedTuple):
    """Targets are at half the resolution, as the network answers."""

    image: Tensor
    """uint8 (B, H, W, 3)"""
    nucleus: Tensor
    """bool (B, h, w)"""
    distances: Tensor
    """float32 (B, 2, h, w)"""
    asked: Tensor
    """float32 (B, 2, h, w): 1 for positive, 1 for tumour"""
    weight: Tensor
    """float32 (B, 2, h, w): 0 where there is no nucleus or the tile does not tell"""


def targets(tile: StainedTile) -> tuple[np.ndarray, ...]:
    """What a batch has of one crop, without its frame."""
    inner = slice(FRAME_PX, FRAME_PX + CROP_PX)
    labels = tile.instances[::2, ::2]
    half = slice(FRAME_PX // 2, (FRAME_PX + CROP_PX) // 2)
    types = tile.type_of[labels[half, half]]
    inside = types > 0
    asked = np.stack([inside & (types % 2 == 0), inside & (types <= 2)]).astype(np.float32)
    weight = np.stack([inside, inside & tile.tells_tumour]).astype(np.float32)
    return tile.image[inner, inner], inside, distances(labels)[:, half, half], asked, weight


class Batches(Dataset[Batch]):
    """Batch n of a training: the same for the same seed and n, whoever makes it."""

    def __init__(self, real: list[LabelledTile], drawn: list[StainedTile], seed: int):
        untyped, typed = ([tile for tile in real if tile.typed == told] for told in (False, True))
        self.pools = (typed, untyped, drawn)
        present = np.array(SHARES) * [bool(pool) for pool in self.pools]
        self.shares = present / present.sum()
        self.seed = seed

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng((self.seed, number))
        crops = [targets(self.crop(random)) for _ in range(BATCH)]
        return Batch(*(torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)))

    def crop(self, random: np.random.Generator) -> StainedTile:
        pool = self.pools[random.choice(len(self.pools), p=self.shares)]
        tile, side = pool[random.integers(len(pool))], CROP_PX + 2 * FRAME_PX
        if isinstance(tile, StainedTile):
            return turned_crop(tile, side, random)
        return stained_crop(tile, side, random)

    def epoch(self, number: int, steps: int) -> DataLoader[Batch]:
        # In a process of its own: a thread would share Python's lock with the network's small calls.
        numbers = range(number * steps, (number + 1) * steps)
        return DataLoader(self, batch_size=None, sampler=numbers, num_workers=1, prefetch_factor=4)


def loss(network: StainedNetwork, batch: Batch) -> Tensor:
    """Of nuclei as in H&E, and for each question about one its cross entropy over those that tell."""
    found = network.at_half(batch.image)
    nucleus = batch.nucleus.long()
    total = functional.cross_entropy(found[:, :2], nucleus) + dice(found[:, :2], nucleus)
    total = total + distance_loss(found[:, 2:4], batch.distances, batch.nucleus)
    wrong = functional.binary_cross_entropy_with_logits(found[:, 4:], batch.asked, batch.weight, reduction="none")
    return total + (wrong.sum((0, 2, 3)) / batch.weight.sum((0, 2, 3)).clamp(min=1)).sum()


def network_to_train(weights: Path | None) -> StainedNetwork:
    """From the file, or new; ValueError for weights of another network."""
    if weights is None:
        return StainedNetwork()
    try:
        return network_from_weights(weights_from_file(weights))
    except (LookupError, RuntimeError) as error:
        raise ValueError(f"{weights} holds no weights of this network: give some that `train ihc` wrote") from error


def train(
    data: Data,
    out: Out,
    *,
    phantoms: Phantoms = PHANTOMS,
    weights: Weights = None,
    rate: Rate = RATE,
    epochs: Epochs = EPOCHS,
    steps: Steps = None,
    seed: Seed = 0,
) -> Path:
    """Trains on phantoms and, if they are there, on `data/consep` and `data/dsb2018_he` stained by lot.

    Returns the path of the best epoch's weights, calibrated. Phantoms are kept in `out/phantoms`. ValueError without
    both phantoms and CoNSeP, and for weights of another network.
    """
    torch.manual_seed(seed)
    network = network_to_train(weights)
    drawn = [
        kept(out / "phantoms" / f"{number}.npz", number)
        for number in track(range(phantoms + VALIDATED if phantoms else 0), "drawing phantoms", transient=True)
    ]
    real = list(consep_tiles(data / "consep")) if (data / "consep").is_dir() else []
    seen = [tile for tile in real if tile.name not in VALIDATION_TILES]
    if (data / "dsb2018_he").is_dir():
        seen += dsb_tiles(data / "dsb2018_he")
    if not phantoms and not real:
        raise ValueError(f"nothing chooses the epoch: no phantoms are wanted, and there is no consep in {data}")
    batches = Batches(seen, [tile for group in drawn[:phantoms] for tile in group], seed)
    unseen = held_out([tile for tile in real if tile.name in VALIDATION_TILES])
    validation = unseen + [tile for group in drawn[phantoms:] for tile in group]
    count = steps or STEPS
    training = Training(
        network,
        batches=lambda epoch: batches.epoch(epoch, count),
        steps=count,
        loss=loss,
        score=lambda network: score_network(network, validation),
        rate=rate,
        made_of={"seed": seed, "tiles": len(seen), "phantoms": phantoms}
        | {"weights": sha256_of(weights) if weights else None},
    )
    best = calibrated(network_from_weights(weights_from_file(fit(training, epochs, out))), unseen)
    save_with_score(best.state_dict(), out / CALIBRATED, score_network(best, validation))
    return out / CALIBRATED
