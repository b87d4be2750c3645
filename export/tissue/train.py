"""Trains the tissue network on phantom slides. Without a patient's data: the weights are for demonstration.

The document's recipe is the default ([0070-0084]): SGD at 1e-4, a tenth of it every 10 of 100 epochs, crops of 30-100 %
of the area, smaller classes brought to equal counts by turns and flips.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, StepLR
from typer import Option

from histoserve.export.fit import Training, fit
from histoserve.export.learner import Recipe, one_cycle
from histoserve.export.options import Epochs, Out, Seed, Width
from histoserve.export.standardise import Standardise
from histoserve.export.tissue.augment import AREA
from histoserve.export.tissue.batches import Batches
from histoserve.export.tissue.network import TAPS, TissueNetwork
from histoserve.export.tissue.rounds import SERVED_SEED, serve_and_score, train_until
from histoserve.export.tissue.slides import TRAINING_SEED, draw_slides, read_slide
from histoserve.export.tissue.validation import figures, held_of
from histoserve.export.weight_file import weights_from_file

TRAINED_ON = "phantom slides, drawn from seeds; a fifth of them chooses the epoch"
"""In the passport of what is served of it."""
NARROW = 0.125
"""Width of the network that two CPU cores train in an hour; 1.0 is the document's."""
EPOCHS, RATE, DECAY_EVERY = 100, 1e-4, 10
MOMENTUM = 0.9
SLIDES = 240
"""20 MB of memory each."""
TILES = 1600
TRAINING_PART = 0.8
"""Of the slides; the others choose the epoch."""
MORE = 0.5
"""In parts of the first slides, so many are drawn for each further round."""
ROUNDS = 3
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
Tiles = Annotated[int, Option(min=1, help="Of each class, in an epoch.")]
Slides = Annotated[int, Option(min=5, help="Phantom slides to draw.")]
Until = Annotated[
    float | None,
    Option(
        min=0, max=1, help="Balanced tile accuracy as served; under it, more slides are drawn and training goes on."
    ),
]
Rounds = Annotated[int, Option(min=1, help="Of training, at most, with --until.")]


def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    image, label = batch
    return nn.functional.cross_entropy(network(STANDARDISE(image)), label)


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
    tiles: Tiles = TILES,
    optimiser: Optimiser = "sgd",
    rate: Rate = RATE,
    decay_every: DecayEvery = DECAY_EVERY,
    least_area: LeastArea = LEAST_AREA,
    dyes: Dyes = 0.0,
    epochs: Epochs = EPOCHS,
    until: Until = None,
    rounds: Rounds = ROUNDS,
    seed: Seed = 0,
) -> Path:
    """Draws slides into `out`, trains on 80 % of them, and returns the path of the epoch best on the others.

    With `until`, that is done in rounds, of which the one that is best as served is returned.
    """
    if optimiser not in ("sgd", "adamw"):
        raise ValueError(f"no optimiser is called {optimiser!r}; there are: sgd, adamw")
    tapped = _numbers(taps)
    first = TRAINING_SEED + SEEDS * seed

    def train_round(number: int, folder: Path, before: Path | None) -> Path:
        torch.manual_seed(seed)
        network = TissueNetwork(width, tapped)
        if before is not None:
            network.load_state_dict(weights_from_file(before))
        count = slides + round(MORE * slides) * number
        files = draw_slides(out / "slides", range(first, first + count))
        seen = round(TRAINING_PART * count)
        looks = Batches([read_slide(file) for file in files[:seen]], tiles, least_area, dyes, seed + SEEDS * number)
        held = [held_of(read_slide(file)) for file in files[seen:]]
        recipe: Recipe = partial(step_decay, every=decay_every * looks.steps) if optimiser == "sgd" else one_cycle
        training = Training(
            network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            batches=looks.epoch,
            steps=looks.steps,
            loss=loss,
            score=partial(figures, slides=held),
            rate=rate,
            recipe=recipe,
            made_of={"seed": seed, "width": width, "taps": taps, "slides": count, "optimiser": optimiser}
            | {"decay": decay_every, "area": least_area, "dyes": dyes},
        )
        return fit(training, epochs, folder)

    if until is None:
        return train_round(0, out, None)
    serve = partial(serve_and_score, out / "served-slides", SERVED_SEED + SEEDS * seed)
    return train_until(until, rounds, out, train_round, serve)


def _numbers(taps: str) -> list[int]:
    try:
        return [int(each) for each in taps.split(",")]
    except ValueError as error:
        raise ValueError(f"--taps {taps!r}: wanted numbers of convolutions, as in 1,10,15,33") from error
