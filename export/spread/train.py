"""Trains the spread network on phantom slides. Without a patient's data: the weights are for demonstration.

The document gives samples, losses and augmentation ([0061, 0070]), but neither rate nor epochs.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor
from typer import Option

from histoserve.export.fit import Training, fit
from histoserve.export.known_slide import read_slide
from histoserve.export.options import Epochs, Out, Seed
from histoserve.export.spread.batches import Batches
from histoserve.export.spread.loss import losses
from histoserve.export.spread.network import CHANNELS, SpreadNetwork, channels_of
from histoserve.export.spread.slides import TRAINING_SEED, draw_slides
from histoserve.export.spread.validation import figures, held_of
from histoserve.export.spread.weights import extractor_from_file
from histoserve.export.standardise import Standardise
from histoserve.export.weight_file import sha256_of

TRAINED_ON = "phantom slides, drawn from seeds; a fifth of them chooses the epoch"
"""In the passport of what is served of it."""
NARROW = 0.125
"""Width of the network that two CPU cores train in an hour or two; 1.0 is the document's."""
EPOCHS, RATE = 30, 1e-3
SLIDES = 160
"""22 MB of memory each."""
REGIONS = 3200
DYES = 0.25
"""With 0.1, R² of layer 13 on other slides fell from 0.66 to 0.45 as the stains of those seen were learned."""
WHOLE = 3
"""Last epochs, which see whole regions."""
TRAINING_PART = 0.8
"""Of the slides; the others choose the epoch."""
SEEDS = 100_000
"""From one training's first seed to that of another `seed`."""
STANDARDISE = Standardise()

Width = Annotated[
    float | None,
    Option(min=0.01, max=2, help=f"Channels, relative to VGG16's; {NARROW}, or with --weights what these have."),
]
Weights = Annotated[
    Path | None,
    Option(help="VGG16's to start from: torchvision's file, or one from Keras or Caffe (.h5, .onnx); or our own."),
]
Fixed = Annotated[bool, Option("--fixed", help="Train the classifiers alone, on what --weights gives.")]
Slides = Annotated[int, Option(min=5, help="Phantom slides to draw.")]
Regions = Annotated[int, Option(min=1, help="Looks at regions, an epoch.")]
Whole = Annotated[
    int, Option(min=0, help="Last epochs that see whole regions; those before see quarters, in a quarter of the time.")
]
Dyes = Annotated[float, Option(min=0, max=1, help="By how much stains are varied; the document does not.")]
Rate = Annotated[float, Option(min=0, help="The highest learning rate.")]


def network_to_train(width: float | None, weights: Path | None, fixed: bool) -> SpreadNetwork:
    """A new one, or one that starts from the file; ValueError for a width that the file has not."""
    if weights is None:
        if fixed:
            raise ValueError("--fixed keeps the extractor that --weights gives, but no --weights came")
        return SpreadNetwork(channels_of(width or NARROW), normalised=True)
    extractor = extractor_from_file(weights)
    channels = [tensor.shape[0] for name, tensor in extractor.items() if name.endswith(".weight")]
    if width is not None and channels != channels_of(width):
        raise ValueError(f"{weights} has width {channels[0] / CHANNELS[0]:g}, not {width:g}: leave --width out")
    network = SpreadNetwork(channels)
    network.load_state_dict(extractor, strict=False)
    network.features.requires_grad_(not fixed)
    return network


def folded(network: SpreadNetwork) -> Mapping[str, Tensor]:
    """What is kept of a training: VGG16's layers and no others."""
    return network.folded().state_dict()


def loss(network: SpreadNetwork, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The mean of the fourteen, so that a step's length does not depend on their number."""
    image, share = batch
    layers, value = network(STANDARDISE(image))
    return losses(layers, value, share).mean()


def train(
    out: Out,
    *,
    width: Width = None,
    weights: Weights = None,
    fixed: Fixed = False,
    slides: Slides = SLIDES,
    regions: Regions = REGIONS,
    whole: Whole = WHOLE,
    dyes: Dyes = DYES,
    rate: Rate = RATE,
    epochs: Epochs = EPOCHS,
    seed: Seed = 0,
) -> Path:
    """Draws slides into `out`, trains on 80 % of them, and returns the path of the epoch best on the others."""
    torch.manual_seed(seed)
    network = network_to_train(width, weights, fixed)
    first = TRAINING_SEED + SEEDS * seed
    files = draw_slides(out / "slides", range(first, first + slides))
    seen = round(TRAINING_PART * slides)
    batches = Batches([read_slide(file) for file in files[:seen]], regions, dyes, seed, max(0, epochs - whole))
    training = Training(
        network,
        batches=batches.epoch,
        steps=batches.steps,
        loss=loss,
        score=partial(figures, held=held_of(read_slide(file) for file in files[seen:])),
        rate=rate,
        weights=folded,
        made_of={
            "seed": seed,
            "channels": network.channels,
            "slides": slides,
            "dyes": dyes,
            "fixed": fixed,
            "whole": whole,
        }
        | {"weights": sha256_of(weights) if weights else None},
    )
    return fit(training, epochs, out)
