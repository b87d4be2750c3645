"""Trains the network of one marker on the tiles that `histoserve label` made and people accepted.

The document's recipe is the default ([0134-0140, 0157-0159]): RMSprop at 0.01, batches of 64 crops of 512 px, at most
1,000,000 steps or until the loss stands; flips, rotations, crops and colours, no large rescaling. It names no loss:
binary cross entropy, the reading of a crop's tile as a soft label.

AdamW and smaller crops are options, for a narrow network that starts from nothing.
"""

import hashlib
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.optim import Optimizer, RMSprop
from torch.optim.lr_scheduler import LRScheduler, StepLR
from typer import Option

from histoserve.export.biomarker.batches import Batches
from histoserve.export.biomarker.labelled import LabelledTile, Parts, parts_of
from histoserve.export.biomarker.memory import batch_that_fits
from histoserve.export.biomarker.network import (
    CROP_PX,
    LEAST_CROP_PX,
    MARKER,
    MOST,
    WIDEST,
    BiomarkerNetwork,
    standardised,
    together,
)
from histoserve.export.biomarker.validation import figures
from histoserve.export.biomarker.weights import network_from_file
from histoserve.export.fit import Training, fit
from histoserve.export.learner import one_cycle
from histoserve.export.options import Out, Seed
from histoserve.export.weight_file import save_with_score, score_of, sha256_of, weights_from_file

TRAINED_ON = "tiles of H&E with readings of a registered stain, which people accepted; a part of them chooses the epoch"
"""In the passport of what is served of it."""
NARROW = 0.2
"""Width of the network that two CPU cores can train and serve: 3.4 MB of weights, a 25th of the arithmetic."""
STEPS, RATE = 1_000_000, 0.01
PATIENCE = 30
"""Epochs."""
DECAY, DECAY_EPOCHS = 0.94, 2
FORGETTING, MOMENTUM, EPSILON = 0.9, 0.9, 1.0
"""Of the rate and of RMSprop: the document gives none, so those that stand beside its other numbers in TF-Slim's
training of InceptionV3."""
HELD = 0.2
DYES = 0.1
OPTIMISERS = "rmsprop", "adamw"

Marker = Annotated[str, Option(help="Which marker's labels to learn, as `histoserve label` was told.")]
Labels = Annotated[Path, Option(help="Folder of `histoserve label`; only tiles that were accepted train.")]
Weights = Annotated[
    Path | None, Option(help="To start from: torchvision's file of InceptionV3 (ImageNet), or our own of a marker.")
]
Width = Annotated[
    float | None,
    Option(min=0.01, max=2, help=f"Channels, relative to InceptionV3's; {NARROW}, or with --weights what these have."),
]
Batch = Annotated[int, Option(min=0, help="Crops at a time; 0: 64, or what memory allows.")]
Steps = Annotated[int, Option(min=1, help="At most.")]
Patience = Annotated[int, Option(min=1, help="Epochs without a smaller loss after which it stands.")]
Rate = Annotated[float, Option(min=0, help="The first learning rate.")]
Crop = Annotated[
    int,
    Option(min=LEAST_CROP_PX, max=CROP_PX, help="px of a crop's side; smaller ones cost less and show fewer cells."),
]
Optimiser = Annotated[str, Option(help="rmsprop, the document's, whose rate falls by and by, or adamw, one cycle.")]
Dyes = Annotated[float, Option(min=0, max=1, help="By how much colours are varied.")]
Held = Annotated[float, Option(min=0.01, max=0.9, help="Part of the tiles, whole slides, that chooses the epoch.")]


def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Of tumour, and of the readings where there is some."""
    image, reading = batch
    found, there = network(standardised(image)), ~reading.isnan()
    wanted = torch.stack([reading.nan_to_num(), there.float()], 1)
    weight = torch.stack([there.float(), torch.ones_like(reading)], 1)
    wrong = nn.functional.binary_cross_entropy_with_logits(found, wanted, weight, reduction="sum")
    return wrong / len(reading)


def falling(network: nn.Module, rate: float, steps: int, *, every: int) -> tuple[Optimizer, LRScheduler]:
    """RMSprop; the rate falls to `DECAY` after `every` steps, again and again."""
    optimizer = RMSprop(network.parameters(), lr=rate, alpha=FORGETTING, momentum=MOMENTUM, eps=EPSILON)
    return optimizer, StepLR(optimizer, every, DECAY)


def network_to_train(width: float | None, weights: Path | None, marker: str) -> tuple[BiomarkerNetwork, str]:
    """And what it starts from, in words; ValueError for a width that the file has not."""
    if weights is None:
        return BiomarkerNetwork(width or NARROW), "nothing"
    network, origin = network_from_file(weights, marker)
    found = network.state_dict()[WIDEST].shape[0] / MOST
    if width is not None and round(width * MOST) != round(found * MOST):
        raise ValueError(f"{weights} has width {found:.3g}, not {width:g}: leave --width out")
    return network, origin


def train(
    out: Out,
    *,
    marker: Marker,
    labels: Labels,
    weights: Weights = None,
    width: Width = None,
    batch: Batch = 0,
    steps: Steps = STEPS,
    patience: Patience = PATIENCE,
    rate: Rate = RATE,
    optimiser: Optimiser = "rmsprop",
    crop: Crop = CROP_PX,
    dyes: Dyes = DYES,
    held: Held = HELD,
    seed: Seed = 0,
) -> Path:
    """Trains in `out/<marker>`; returns the path of the weights of all markers that were trained in `out`."""
    name = marker.lower()
    if not MARKER.fullmatch(name):
        raise ValueError(f"--marker {marker!r} cannot be the name of a model: letters, digits and hyphens are wanted")
    if optimiser not in OPTIMISERS:
        raise ValueError(f"no optimiser is called {optimiser!r}; there are: {', '.join(OPTIMISERS)}")
    console = Console(highlight=False, soft_wrap=True)
    parts = parts_of(labels, marker, held, seed)
    torch.manual_seed(seed)
    network, origin = network_to_train(width, weights, name)
    channels = network.state_dict()[WIDEST].shape[0]
    size = batch or batch_that_fits(channels / MOST, crop)
    if size < 2:
        raise ValueError("--batch 1: two crops or more are wanted, which normalisation needs")
    batches = Batches(parts.seen, size, crop, dyes, seed)
    console.print(
        f"{marker}: {len(parts.seen)} tiles train, {len(parts.held)} of other slides choose the epoch; width"
        f" {channels / MOST:.3g}, starting from {origin}; {size} crops of {crop} px at a time, {batches.steps} times an"
        " epoch"
    )
    training = Training(
        network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        batches=batches.epoch,
        steps=batches.steps,
        loss=loss,
        score=partial(figures, tiles=parts.held),
        rate=rate,
        recipe=one_cycle if optimiser == "adamw" else partial(falling, every=DECAY_EPOCHS * batches.steps),
        patience=patience,
        made_of={"marker": marker, "seed": seed, "channels": channels, "batch": size, "dyes": dyes, "held": held}
        | {
            "patience": patience,
            "crop": crop,
            "optimiser": optimiser,
            "tiles": digest_of(parts),
            "weights": sha256_of(weights) if weights else None,
        },
    )
    fit(training, -(-steps // batches.steps), out / name)
    return joined(out)


def digest_of(parts: Parts) -> str:
    """Of which tiles were accepted, and with which readings: with others it is another training."""

    def named(tile: LabelledTile) -> str:
        return f"{tile.path.parent.name}/{tile.path.name} {tile.reading!r}"

    text = "\n".join([*map(named, parts.seen), "", *map(named, parts.held)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def joined(out: Path) -> Path:
    """`out/best.pt`: the best weights of every marker that has been trained in `out`, with what they reached."""
    found = {path.parent.name: path for path in sorted(out.glob("*/best.pt")) if MARKER.fullmatch(path.parent.name)}
    score = {
        f"{marker} {name}": value for marker, path in found.items() for name, value in (score_of(path) or {}).items()
    }
    weights = together({marker: weights_from_file(path) for marker, path in found.items()})
    save_with_score(weights, out / "best.pt", score)
    return out / "best.pt"
