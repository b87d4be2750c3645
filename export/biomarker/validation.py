"""How good a network is on tiles of slides that it has not seen, read as they are served: the mean of four quarters."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch.nn.functional import binary_cross_entropy

from histoserve.export.biomarker.labelled import LabelledTile
from histoserve.export.biomarker.network import BiomarkerNetwork, BiomarkerTiles

BATCH = 4


def figures(network: BiomarkerNetwork, tiles: Sequence[LabelledTile]) -> dict[str, float]:
    """The loss with a minus, the first, by which an epoch is kept; mean absolute error and rank correlation."""
    found, true = read(network, tiles), np.array([tile.reading for tile in tiles], np.float32)
    loss = binary_cross_entropy(torch.from_numpy(found), torch.from_numpy(true))
    return {
        "minus loss": -float(loss),
        "mean absolute error": float(np.abs(found - true).mean()),
        "Spearman": spearman(found, true),
    }


def read(network: BiomarkerNetwork, tiles: Sequence[LabelledTile]) -> NDArray[np.float32]:
    """(tiles,)."""
    whole, found = BiomarkerTiles(network), []
    with torch.inference_mode():
        for first in range(0, len(tiles), BATCH):
            images = np.stack([tile.image() for tile in tiles[first : first + BATCH]])
            found.append(whole(torch.from_numpy(images))[:, 0].numpy())
    return np.concatenate(found)


def spearman(found: NDArray, true: NDArray) -> float:
    """Rank correlation, 0 where one of them has a single value."""
    return float(spearmanr(found, true).statistic) if np.ptp(found) > 0 and np.ptp(true) > 0 else 0.0
