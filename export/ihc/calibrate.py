"""Where tumour ends and other cells begin, told by real nuclei that no training step saw.

Drawn cells are easier: what the network learned of both puts the bound where too few of the real tumour cells are
called so.
"""

from collections.abc import Sequence

import numpy as np
import torch

from histoserve.ensemble.ihc.cells import is_tumour
from histoserve.export.ihc.crops import StainedTile
from histoserve.export.ihc.network import StainedNetwork

TUMOUR = 5
"""Its logit, of those that the network gives."""


def calibrated(network: StainedNetwork, tiles: Sequence[StainedTile]) -> StainedNetwork:
    """Changed so that tumour cells and others of `tiles` are told equally well, as far as they are told at all.

    Tiles that do not tell tumour, or show only one of both, change nothing.
    """
    found = [logits_of(network, tile) for tile in tiles if tile.tells_tumour]
    logits, tumour = (np.concatenate([np.empty(0), *(each[part] for each in found)]) for part in (0, 1))
    bias = network.head.bias
    assert bias is not None
    with torch.no_grad():
        bias[TUMOUR] -= bound(logits, tumour > 0)
    return network


def logits_of(network: StainedNetwork, tile: StainedTile) -> tuple[np.ndarray, np.ndarray]:
    """Of each nucleus the mean logit of tumour, and whether it is; float64 and bool, (nuclei,)."""
    with torch.no_grad():
        logit = network.eval().at_half(torch.from_numpy(np.ascontiguousarray(tile.image[None])))[0, TUMOUR].numpy()
    labels = tile.instances[::2, ::2].ravel()
    count = len(tile.type_of)
    pixels = np.bincount(labels, minlength=count)[1:]
    mean = np.bincount(labels, logit.ravel(), minlength=count)[1:] / np.maximum(pixels, 1)
    return mean[pixels > 0], is_tumour(tile.type_of[1:])[pixels > 0]


def bound(logits: np.ndarray, tumour: np.ndarray) -> float:
    """From which logit on most are rightly told, of either kind the same weight; 0 where there is only one kind."""
    if tumour.all() or not tumour.any():
        return 0.0
    order = np.argsort(logits, kind="stable")
    is_one, sorted_logits = tumour[order], logits[order]
    # Of a bound below each in turn, then above all: others below it and tumour from it on are right.
    others = np.concatenate(([0], np.cumsum(~is_one))) / (~is_one).sum()
    ones = 1 - np.concatenate(([0], np.cumsum(is_one))) / is_one.sum()
    between = np.concatenate(
        (sorted_logits[:1], (sorted_logits[1:] + sorted_logits[:-1]) / 2, sorted_logits[-1:] + 1e-6)
    )
    return float(between[int(np.argmax(others + ones))])
