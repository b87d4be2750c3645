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
TUMOUR = 0.5
"""From here on there is tumour; the served stage has a number of its own in its config."""


def figures(network: BiomarkerNetwork, tiles: Sequence[LabelledTile]) -> dict[str, float]:
    """The loss, as in training, with a minus, the first, by which an epoch is kept; mean absolute error and rank
    correlation of the readings; and of how many tiles it is rightly told whether there is tumour."""
    answers, true = torch.from_numpy(read(network, tiles)), torch.tensor([tile.reading for tile in tiles])
    there = ~true.isnan()
    found, wanted = answers[there, 0], true[there]
    wrong = binary_cross_entropy(found, wanted, reduction="sum") + binary_cross_entropy(
        answers[:, 1], there.float(), reduction="sum"
    )
    return {
        "minus loss": -float(wrong) / len(tiles),
        "mean absolute error": float((found - wanted).abs().sum()) / max(len(found), 1),
        "Spearman": spearman(found.numpy(), wanted.numpy()),
        "tumour": float(((answers[:, 1] >= TUMOUR) == there).float().mean()),
    }


def read(network: BiomarkerNetwork, tiles: Sequence[LabelledTile]) -> NDArray[np.float32]:
    """(tiles, 2): readings, and whether there is tumour, 0-1."""
    whole, found = BiomarkerTiles(network), []
    with torch.inference_mode():
        for first in range(0, len(tiles), BATCH):
            images = np.stack([tile.image() for tile in tiles[first : first + BATCH]])
            found.append(torch.cat(whole(torch.from_numpy(images)), 1).numpy())
    return np.concatenate(found)


def spearman(found: NDArray, true: NDArray) -> float:
    """Rank correlation, 0 where one of them has a single value, or none."""
    tells = len(found) > 1 and np.ptp(found) > 0 and np.ptp(true) > 0
    return float(spearmanr(found, true).statistic) if tells else 0.0
