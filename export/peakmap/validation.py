"""How well an extractor tells tiles with a lesion from tiles without, during its training."""

import numpy as np

from histoserve.export.peakmap.apply import logits_of
from histoserve.export.peakmap.classes import TYPES
from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.peakmap.lesions import crop
from histoserve.export.peakmap.smears import LabelledSmear, tiles_of

NEGATIVES = 4
"""Validation tiles without lesion for each with one."""


def validation_tiles(slides: list[LabelledSmear], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All tiles with a lesion and `NEGATIVES` times as many without: uint8 (n, H, W, 3) and labels (n, types)."""
    tiles, labels = [], []
    for slide in slides:
        corners, images = tiles_of(slide.image)
        tiles += list(images)
        labels += [crop(slide, left, top)[1] for left, top in corners]
    label = np.array(labels)
    having, free = np.flatnonzero((label != 0).any(1)), np.flatnonzero((label == 0).all(1))
    chosen = np.random.default_rng(seed).permutation(free)[: NEGATIVES * len(having)]
    kept = np.concatenate([having, chosen])
    return np.array(tiles)[kept], label[kept]


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    """Mean precision at each true one, from the highest score down; unknown ones (−1) are left out."""
    score, truth = score[truth >= 0], truth[truth >= 0]
    found = truth[np.argsort(-score, kind="stable")] > 0
    precision = np.cumsum(found) / (1 + np.arange(len(found)))
    return float(precision[found].mean()) if found.any() else 0.0


def precisions(network: Extractor, tiles: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    score = logits_of(network, tiles)
    each = {f"AP {name}": average_precision(score[:, t], labels[:, t]) for t, name in enumerate(TYPES)}
    return {"AP": float(np.mean(list(each.values()))), **each}
