"""Trains the tissue network on tiles of phantom slides. Without a patient's data: the weights are for demonstration.

The document's recipe is the default ([0070-0084]): SGD at 1e-4, a tenth of it every 10 of 100 epochs, crops of 30-100 %
of the area, smaller classes brought to equal counts by turns and flips.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR
from typer import Option

from histoserve.export.ahead import ahead
from histoserve.export.fit import Training, fit
from histoserve.export.learner import Recipe, one_cycle
from histoserve.export.options import Epochs, Out, Seed, Width
from histoserve.export.standardise import Standardise
from histoserve.export.tissue.augment import AREA, crop, vary_dyes, whole
from histoserve.export.tissue.classes import CLASSES
from histoserve.export.tissue.network import TAPS, TissueNetwork
from histoserve.export.tissue.tiles import TRAINING_SEED, LabelledTiles, draw_tiles, read_tiles

NARROW = 0.125
"""Width of the network that two CPU cores train in an hour; 1.0 is the document's."""
EPOCHS, RATE, BATCH, DECAY_EVERY = 100, 1e-4, 32, 10
MOMENTUM = 0.9
SLIDES = 1200
TRAINING_PART = 0.8
"""Of the slides; the others choose the epoch."""
SEEDS = 100_000
"""From one training's first seed to that of another `seed`."""

LEAST_AREA = AREA[0]
ALL_TAPS = ",".join(map(str, TAPS))
STANDARDISE = Standardise()

Taps = Annotated[str, Option(help="Convolutions that the classifier sees; 33 alone leaves the others out.")]
Rate = Annotated[float, Option(help="The highest learning rate.")]
Optimiser = Annotated[str, Option(help="sgd, which falls to a tenth every --decay-every epochs, or adamw, one cycle.")]
DecayEvery = Annotated[int, Option(min=1, help="Epochs, of sgd.")]
LeastArea = Annotated[float, Option(min=0.05, max=1, help="Of a crop, in parts of the tile.")]
Dyes = Annotated[float, Option(min=0, max=1, help="By how much stains are varied; the document does not.")]
Slides = Annotated[int, Option(min=5, help="Phantom slides to draw tiles of.")]


class Batches:
    """Batch n of a training: the same for the same seed and n. All classes come equally often."""

    def __init__(self, tiles: LabelledTiles, least_area: float, dyes: float, seed: int):
        self._tiles, self._dyes, self._seed = tiles, dyes, seed
        self._area = (least_area, AREA[1])
        self._of_class = [np.flatnonzero(tiles.label == each) for each in range(len(CLASSES))]
        if min(map(len, self._of_class)) == 0:
            missing = next(name for name, own in zip(CLASSES, self._of_class, strict=True) if not len(own))
            raise ValueError(f"the training has no tile of the class {missing}: draw more --slides")

    @property
    def steps(self) -> int:
        """Of an epoch, which has each tile of the largest class once and those of the others several times."""
        return -(-len(CLASSES) * max(map(len, self._of_class)) // BATCH)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures uint8 (N, 224, 224, 3) and classes int64 (N,)."""
        random = np.random.default_rng((self._seed, number))
        longest = max(map(len, self._of_class))
        drawn = [
            np.concatenate([random.permutation(own) for _ in range(-(-longest // len(own)))])[:longest]
            for own in self._of_class
        ]
        # The first time that a tile comes it is as it is; again, it is turned.
        again = [np.arange(longest) >= len(own) for own in self._of_class]
        order = random.permutation(longest * len(CLASSES))
        numbers, turned = np.concatenate(drawn)[order], np.concatenate(again)[order]

        def make(step: int) -> tuple[Tensor, Tensor]:
            part = slice(step * BATCH, (step + 1) * BATCH)
            dice = np.random.default_rng((self._seed, number, step))
            images = [self._seen(n, turn, dice) for n, turn in zip(numbers[part], turned[part], strict=True)]
            return torch.from_numpy(np.stack(images)), torch.from_numpy(self._tiles.label[numbers[part]])

        return ahead(make, self.steps)

    def _seen(self, number: int, turned: bool, random: np.random.Generator) -> np.ndarray:
        picture = crop(self._tiles.image(number), turned, self._area, random)
        return vary_dyes(picture, self._dyes, random) if self._dyes else picture


def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    image, label = batch
    return nn.functional.cross_entropy(network(STANDARDISE(image)), label)


def accuracy(network: nn.Module, tiles: LabelledTiles) -> dict[str, float]:
    """Mean over the classes of the part of their tiles that are rightly sorted: whole tiles, as they are served."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(tiles.label), BATCH):
            images = [whole(tiles.image(n)) for n in range(first, min(first + BATCH, len(tiles.label)))]
            found.append(network(STANDARDISE(torch.from_numpy(np.stack(images)))).argmax(1).numpy())
    right = np.concatenate(found) == tiles.label
    return {"balanced accuracy": float(np.mean([right[tiles.label == each].mean() for each in np.unique(tiles.label)]))}


def step_decay(network: nn.Module, rate: float, steps: int, *, every: int) -> tuple[Optimizer, LRScheduler]:
    """SGD; the rate falls to a tenth after `every` steps, again and again ([0083])."""
    optimizer = SGD(network.parameters(), lr=rate, momentum=MOMENTUM)
    return optimizer, StepLR(optimizer, every, 0.1)


def train(
    out: Out,
    *,
    width: Width = NARROW,
    taps: Taps = ALL_TAPS,
    slides: Slides = SLIDES,
    optimiser: Optimiser = "sgd",
    rate: Rate = RATE,
    decay_every: DecayEvery = DECAY_EVERY,
    least_area: LeastArea = LEAST_AREA,
    dyes: Dyes = 0.0,
    epochs: Epochs = EPOCHS,
    seed: Seed = 0,
) -> Path:
    """Draws tiles into `out`, trains on 80 % of the slides, and returns the path of the epoch best on the others."""
    torch.manual_seed(seed)
    if optimiser not in ("sgd", "adamw"):
        raise ValueError(f"no optimiser is called {optimiser!r}; there are: sgd, adamw")
    network = TissueNetwork(width, _numbers(taps))
    first = TRAINING_SEED + SEEDS * seed
    files = draw_tiles(out / "tiles", range(first, first + slides))
    seen = round(TRAINING_PART * slides)
    batches, held = Batches(read_tiles(files[:seen]), least_area, dyes, seed), read_tiles(files[seen:])
    recipe: Recipe = partial(step_decay, every=decay_every * batches.steps) if optimiser == "sgd" else one_cycle
    training = Training(
        network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        batches=batches.epoch,
        steps=batches.steps,
        loss=loss,
        score=partial(accuracy, tiles=held),
        rate=rate,
        recipe=recipe,
        made_of={"seed": seed, "width": width, "taps": taps, "slides": slides, "optimiser": optimiser}
        | {"decay": decay_every, "area": least_area, "dyes": dyes},
    )
    return fit(training, epochs, out)


def _numbers(taps: str) -> list[int]:
    try:
        return [int(each) for each in taps.split(",")]
    except ValueError as error:
        raise ValueError(f"--taps {taps!r}: wanted numbers of convolutions, as in 1,10,15,33") from error
