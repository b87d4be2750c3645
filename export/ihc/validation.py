"""Scores a network by the cells that the served stages make of its maps, without a server: for training."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from histoserve.ensemble.ihc.cells import is_positive, is_tumour
from histoserve.ensemble.ihc.slide import reading
from histoserve.ensemble.nuclei.find import label_nuclei
from histoserve.export.ihc.crops import StainedTile, stained_crop
from histoserve.export.ihc.network import StainedMaps, StainedNetwork
from histoserve.export.nuclei.matching import intersections
from histoserve.export.nuclei.tiles import LabelledTile
from histoserve.export.nuclei.validation import rules_from_config
from histoserve.export.repository import INSTALLED

SIDE, CROPS = 320, 3
"""Of a crop, px; and how many of them a tile gives."""
WATERSHED = INSTALLED / "nuclei_watershed"
"""An epoch is as good as the cells that the served stage finds by it; its numbers are those of nuclei."""
FEWEST = 8
"""Tumour cells of a crop that has a ratio worth comparing."""


def held_out(tiles: Iterable[LabelledTile]) -> list[StainedTile]:
    """The same crops with the same stains each time."""
    return [
        stained_crop(tile, SIDE, np.random.default_rng((7, number, k)))
        for number, tile in enumerate(tiles)
        for k in range(CROPS)
    ]


def score_network(network: StainedNetwork, tiles: Sequence[StainedTile]) -> dict[str, float]:
    """Of tiles whose cells are known: how rightly they are found and typed, and how far off their readings are.

    `cells` is the F1 of finding a cell (half of either in the other) with the right answers to both questions; `found`
    of finding it at all. `positive` and `tumour` are shares of those found that are rightly told. `away` is the mean
    absolute error of the ratio, without a lesion region.
    """
    module, rules = StainedMaps(network).eval(), rules_from_config(WATERSHED)
    counts, right, away = np.zeros(3), np.zeros(3), []
    for tile in tiles:
        with torch.no_grad():
            maps = module(torch.from_numpy(np.ascontiguousarray(tile.image[None])))[0].numpy()
        labels, types = label_nuclei(maps, rules)
        one, other = paired(labels, tile.instances)
        counts += (len(one), len(types) - 1, len(np.unique(tile.instances[tile.instances > 0])))
        found, true = types[one], tile.type_of[other]
        positive, tumour = is_positive(found) == is_positive(true), is_tumour(found) == is_tumour(true)
        right += (positive.sum(), tumour.sum(), (positive & tumour).sum())
        if (is_tumour(tile.type_of[1:])).sum() >= FEWEST:
            away.append(abs(ratio(types[1:], 0.5) - ratio(tile.type_of[1:], 0.5)))
    every = max(counts[1:].sum(), 1)
    return {
        "cells": float(2 * right[2] / every),
        "found": float(2 * counts[0] / every),
        "positive": float(right[0] / max(counts[0], 1)),
        "tumour": float(right[1] / max(counts[0], 1)),
        "away": float(np.mean(away)) if away else float("nan"),
    }


def paired(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the same cells in two maps (H, W): more than half of what either covers."""
    shared = intersections(found, truth)
    covered = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    one, other = np.nonzero(shared[1:, 1:] > 0.5 * covered[1:, 1:])
    return one + 1, other + 1


def ratio(types: np.ndarray, none: float) -> float:
    """positive ÷ (positive + negative) tumour cells; `none` where there are none."""
    tumour = types[is_tumour(types)]
    share = reading(int(is_positive(tumour).sum()), int((~is_positive(tumour)).sum()))
    return none if np.isnan(share) else share
