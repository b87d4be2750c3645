"""A network for patches: its classifiers on the activations of a given VGG16, or all of it from nothing."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from histoserve.export.dyes import vary_dyes
from histoserve.export.fit import Training, fit
from histoserve.export.spread.augment import cover_patch
from histoserve.export.spread.batches import BATCH
from histoserve.export.spread.consep import Patches
from histoserve.export.spread.loss import losses
from histoserve.export.spread.network import SpreadNetwork, network_from_weights
from histoserve.export.spread.train import RATE, folded, loss
from histoserve.export.spread.validation import Held, figures, spearman
from histoserve.export.standardise import Standardise
from histoserve.export.weight_file import weights_from_file

DYES = 0.15
"""By how much stains are varied in training."""
STEPS = 400
"""Of classifiers on activations: some thirty epochs."""
Taps = list[Tensor]


def taps_of(network: SpreadNetwork, images: NDArray[np.uint8]) -> Taps:
    """(N, 224, 224, 3) → of each layer (N, channels)."""
    # Made at first: what is kept between two pictures' activations keeps the room of these, gigabytes in the end.
    standardise, found = Standardise(), [torch.empty(len(images), each) for each in network.channels]
    with torch.inference_mode():
        for number, image in enumerate(track(images, "activations", transient=True)):
            for kept, tap in zip(found, network.taps(standardise(torch.from_numpy(image[None]))), strict=True):
                kept[number] = tap[0]
    return found


def looks(images: NDArray[np.uint8], copies: int) -> NDArray[np.uint8]:
    """The images, and `copies` of each, turned, mirrored and stained otherwise: (N × (1 + copies), …)."""
    made = [images]
    for copy in range(copies):
        random = np.random.default_rng((1, copy))
        made.append(np.stack([varied(image, random) for image in images]))
    return np.concatenate(made)


def varied(image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """One of the eight ways that it can lie, with other dyes."""
    turned = np.rot90(image, random.integers(4))
    return vary_dyes(np.ascontiguousarray(turned[:, :: random.choice((-1, 1))]), DYES, random)


def train_classifiers(network: SpreadNetwork, taps: Taps, share: NDArray[np.float64]) -> SpreadNetwork:
    """Classifiers alone, on activations (N, channels) and shares (N,); the given network's are replaced by new ones."""
    torch.manual_seed(0)
    new = SpreadNetwork(network.channels)
    new.features.load_state_dict(network.features.state_dict())
    new.beyond.copy_(network.beyond)
    heads = [*new.classifiers.parameters(), *new.combine.parameters()]
    optimizer = torch.optim.AdamW(heads, RATE, weight_decay=0.01)
    wanted, random = torch.from_numpy(share).float(), np.random.default_rng(0)
    for _ in range(STEPS):
        some = torch.from_numpy(random.choice(len(share), min(BATCH, len(share)), replace=False))
        layers, value = new.classify([tap[some] for tap in taps])
        optimizer.zero_grad()
        losses(layers, value, wanted[some]).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return new.eval()


def values_by_taps(network: SpreadNetwork, taps: Taps) -> NDArray[np.float64]:
    """(N,)."""
    with torch.inference_mode():
        return network.classify(taps)[1].softmax(1)[:, 1].double().numpy()


def train_from_nothing(channels: Sequence[int], seen: Patches, held: Patches, epochs: int, out: Path) -> SpreadNetwork:
    """All of a new network, on `seen`; `held` choose the epoch. Goes on in `out` where it was interrupted."""
    torch.manual_seed(0)
    training = Training(
        SpreadNetwork(channels, normalised=True),
        batches=partial(_batches, seen),
        steps=_steps(seen),
        loss=loss,
        score=partial(figures, held=Held(held.images, held.share)),
        rate=RATE,
        weights=folded,
        made_of={"channels": list(channels), "patches": len(seen.share)},
    )
    return network_from_weights(weights_from_file(fit(training, epochs, out))).eval()


def _steps(patches: Patches) -> int:
    return -(-len(patches.share) // BATCH)


def _batches(patches: Patches, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    random = np.random.default_rng((2, epoch))
    # Of nearly one size: of a last batch of one patch no scale could be told.
    for numbers in np.array_split(random.permutation(len(patches.share)), _steps(patches)):
        images = [cover_patch(varied(patches.images[n], random), random) for n in numbers]
        yield torch.from_numpy(np.stack(images)), torch.from_numpy(patches.share[numbers]).float()


def errors(found: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, float]:
    """Mean absolute error and rank correlation."""
    return float(np.abs(found - true).mean()), spearman(found, true)
