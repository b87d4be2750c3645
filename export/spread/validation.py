"""How near the values come to the true shares, on regions of slides that training has not seen."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn

from histoserve.export.known_slide import KnownSlide
from histoserve.export.spread.batches import BATCH
from histoserve.export.spread.slides import SIDE, shares_of
from histoserve.export.standardise import Standardise

OF_A_SLIDE = 32


@dataclass(frozen=True)
class Held:
    """Regions as they are served, with their truth."""

    images: NDArray[np.uint8]
    """RGB (N, 224, 224, 3)."""
    share: NDArray[np.float64]
    """(N,)."""


def held_of(slides: Iterable[KnownSlide]) -> Held:
    """Some of the regions that hold a cell, of each slide as many."""
    images, shares = [], []
    for slide in slides:
        share = shares_of(slide)
        places = np.argwhere(np.isfinite(share))
        for row, column in np.random.default_rng(0).permutation(places)[:OF_A_SLIDE]:
            y, x = row * SIDE, column * SIDE
            images.append(slide.image[y : y + SIDE, x : x + SIDE])
            shares.append(share[row, column])
    if not shares or min(shares) == max(shares):
        raise ValueError("the slides that choose the epoch have regions of one share only: draw more --slides")
    return Held(np.stack(images), np.array(shares))


def figures(network: nn.Module, held: Held) -> dict[str, float]:
    """R² of the value, the first, by which an epoch is kept; its rank correlation; R² of the 13th layer alone."""
    value, by_layer = values_of(network, held.images)
    return {
        "R2": r2(value, held.share),
        "Spearman": spearman(value, held.share),
        "R2 of layer 13": r2(by_layer[:, -1], held.share),
    }


def values_of(network: nn.Module, images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Regions (N, 224, 224, 3) → (N,) and, by layer, (N, 13)."""
    standardise, values, by_layer = Standardise(), [], []
    with torch.inference_mode():
        for first in range(0, len(images), BATCH):
            layers, value = network(standardise(torch.from_numpy(images[first : first + BATCH])))
            values.append(value.softmax(1)[:, 1].double().numpy())
            by_layer.append(layers.softmax(2)[:, :, 1].double().numpy())
    return np.concatenate(values), np.concatenate(by_layer)


def r2(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """The part of the true values' variance that is explained; under 0, less than their mean would."""
    return float(1 - np.square(found - true).sum() / np.square(true - true.mean()).sum())


def spearman(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Rank correlation, 0 where one of them has a single value."""
    one, other = (rankdata(each) - (len(each) + 1) / 2 for each in (found, true))
    product = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / product) if product > 0 else 0.0
