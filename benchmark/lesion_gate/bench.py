"""The gate before any training for tissue classes: textures must fall short, the true nuclei must not."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from histoserve.benchmark.lesion_gate.nuclear import nuclear
from histoserve.benchmark.lesion_gate.tiles import MPP, SIDE_PX, Tile, tiles
from histoserve.export.tissue.classify import balanced_accuracy, fit
from histoserve.export.tissue.texture import texture
from histoserve.phantom.lesion.plan import CLASSES

TEXTURE_RANGE, NUCLEAR_RANGE = (0.60, 0.90), (0.98, 1.00)
"""Balanced accuracy over tiles that is wanted of hand-made features of the picture, and of the true nuclei."""

TRAIN, TEST = (0, 90), (10**6, 60)
"""First seed and number of the slides."""


class Score(NamedTuple):
    """Of one kind of features: balanced accuracy, and for each true class the share of its tiles that were right."""

    accuracy: float
    by_class: tuple[float, ...]


def run(image: Path | None = None) -> int:
    """Prints both accuracies; 1 if one is out of its range. ValueError for an image. Draws for some ten minutes."""
    if image is not None:
        raise ValueError("bench lesion_gate draws its own tiles: leave out --image")
    train, test = list(tiles(*TRAIN)), list(tiles(*TEST))
    wanted = {"hand-made, of the picture": TEXTURE_RANGE, "of the true nuclei": NUCLEAR_RANGE}
    scores = dict(zip(wanted, gate(train, test), strict=True))
    table = Table("features", "balanced accuracy", *CLASSES, "wanted", title=f"{len(train)} + {len(test)} tiles")
    for name, (least, most) in wanted.items():
        shares = (f"{share:.1%}" for share in scores[name].by_class)
        table.add_row(name, f"{scores[name].accuracy:.1%}", *shares, f"{least:.0%} to {most:.0%}")
    Console().print(table)
    return 0 if all(least <= scores[name].accuracy <= most for name, (least, most) in wanted.items()) else 1


def gate(train: Sequence[Tile], test: Sequence[Tile]) -> tuple[Score, Score]:
    """Scores of hand-made features of the picture, and of features of the true nuclei."""
    of_picture = [np.array([texture(tile.image) for tile in part]) for part in (train, test)]
    side = SIDE_PX * MPP
    of_nuclei = [np.array([nuclear(tile.outlines, side) for tile in part]) for part in (train, test)]
    labels = [np.array([tile.label for tile in part]) for part in (train, test)]
    return _score(of_picture, labels), _score(of_nuclei, labels)


def _score(features: list[np.ndarray], labels: list[np.ndarray]) -> Score:
    predicted = fit(features[0], labels[0], len(CLASSES)).predict(features[1])
    by_class = tuple(
        float((predicted[labels[1] == k] == k).mean()) if (labels[1] == k).any() else float("nan")
        for k in range(len(CLASSES))
    )
    return Score(balanced_accuracy(predicted, labels[1]), by_class)
