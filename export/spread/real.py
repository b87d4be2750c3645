"""How well shares are read off real tissue: CoNSeP's patches, beside what needs no training of a network.

    python -m histoserve.export.spread.real --data ../shared/data --weights NAME=FILE -o out/consep

Folds are by tile: no tile is in training and in test. Every row is said twice, the second time with the stains of each
test tile changed.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from histoserve.export.options import Data
from histoserve.export.spread.consep import Patches, read_patches
from histoserve.export.spread.network import SpreadNetwork, channels_of
from histoserve.export.spread.ridge import histogram, ridge
from histoserve.export.spread.stains import drawn_factors, rescaled
from histoserve.export.spread.train import NARROW, network_to_train
from histoserve.export.spread.transfer import (
    Taps,
    errors,
    looks,
    taps_of,
    train_classifiers,
    train_from_nothing,
    values_by_taps,
)
from histoserve.export.spread.validation import values_of

FOLDS = 9
KNOWN = {
    "known: histogram, ridge regression": (0.190, 0.81, 0.260, 0.64),
    "known: averaged activations of VGG16": (0.167, 0.80, 0.192, 0.77),
}
"""Measured before, on the same patches; how stains were changed then is not known to the last detail."""
HEADINGS = ("mean error", "Spearman", "mean error, other stains", "Spearman, other stains")

Given = Annotated[list[str] | None, typer.Option("--weights", metavar="NAME=FILE", help="A VGG16 to start from.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for what is kept of the trainings.")]
Folds = Annotated[int, typer.Option(min=1, max=FOLDS, help="So many of the nine folds.")]
Epochs = Annotated[int, typer.Option(min=0, help="Of the network that starts from nothing; 0 leaves it out.")]
Copies = Annotated[int, typer.Option(min=0, help="Of each patch, stained otherwise, for the classifiers' training.")]
Width = Annotated[float, typer.Option(help="Of the network that starts from nothing.")]

Found = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Values of patches, and of the same with other stains."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """What every way is asked."""

    patches: Patches
    changed: NDArray[np.uint8]
    """The same images, both dyes of each tile rescaled."""
    folds: int

    @property
    def asked(self) -> list[Mask]:
        """Of each fold (N,): patches that are asked, of which nothing is learned."""
        return [self.patches.tile % FOLDS == fold for fold in range(self.folds)]

    def answered(self, values: Callable[[Mask], Found]) -> tuple[float, ...]:
        """Mean absolute error and rank correlation over all folds, then the same with other stains."""
        share = np.concatenate([self.patches.share[asked] for asked in self.asked])
        one, other = (np.concatenate(each) for each in zip(*map(values, self.asked), strict=True))
        return (*errors(one, share), *errors(other, share))


def trial_of(patches: Patches, folds: int) -> Trial:
    """The change of a tile's stains is the same in every trial."""
    changed = patches.images.copy()
    for tile in np.unique(patches.tile):
        own = patches.tile == tile
        changed[own] = rescaled(changed[own], drawn_factors(np.random.default_rng((1, tile))))
    return Trial(patches, changed, folds)


def by_ridge(trial: Trial, seen: NDArray[np.float64], changed: NDArray[np.float64]) -> tuple[float, ...]:
    """On features (N, n) of the patches and of the changed ones; of `seen` there may be several of each patch."""
    share = trial.patches.share

    def values(asked: Mask) -> Found:
        learned = np.tile(~asked, len(seen) // len(asked))
        x, y = seen[learned], np.tile(share, len(seen) // len(asked))[learned]
        return ridge(x, y, seen[: len(asked)][asked]), ridge(x, y, changed[asked])

    return trial.answered(values)


def by_classifiers(trial: Trial, network: SpreadNetwork, seen: Taps, changed: Taps) -> tuple[float, ...]:
    """The 14 classifiers on the given network's activations."""
    share = trial.patches.share

    def values(asked: Mask) -> Found:
        times = len(seen[0]) // len(asked)
        learned = np.tile(~asked, times)
        trained = train_classifiers(network, [tap[learned] for tap in seen], np.tile(share, times)[learned])
        one, other = ([tap[: len(asked)][asked] for tap in taps] for taps in (seen, changed))
        return values_by_taps(trained, one), values_by_taps(trained, other)

    return trial.answered(values)


def from_nothing(trial: Trial, width: float, epochs: int, out: Path) -> tuple[float, ...]:
    """The whole network; the tiles of the next fold, of those in which not all shares are equal, choose the epoch."""
    patches = trial.patches
    choosers = [patches.tile % FOLDS == fold for fold in range(FOLDS)]

    def values(asked: Mask) -> Found:
        fold = int(patches.tile[asked][0]) % FOLDS
        following = [choosers[(fold + step) % FOLDS] for step in range(1, FOLDS)]
        held = next(mask for mask in following if np.ptp(patches.share[mask]) > 0)
        seen, choosing = patches.of(~asked & ~held), patches.of(held)
        network = train_from_nothing(channels_of(width), seen, choosing, epochs, out / f"fold{fold}")
        return values_of(network, patches.images[asked])[0], values_of(network, trial.changed[asked])[0]

    return trial.answered(values)


def real(
    data: Data,
    out: Out = Path("out/consep-spread"),
    weights: Given = None,
    folds: Folds = FOLDS,
    epochs: Epochs = 30,
    copies: Copies = 2,
    width: Width = NARROW,
) -> dict[str, tuple[float, ...]]:
    """Prints, and returns by row, mean absolute error and rank correlation without and with a change of stain."""
    given = {name: network_to_train(None, Path(file), fixed=True).eval() for name, file in map(_named, weights or ())}
    trial = trial_of(read_patches(data / "consep"), folds)
    colours = histogram(trial.patches.images), histogram(trial.changed)
    rows = {"histogram, ridge regression": by_ridge(trial, *colours)}
    for name, network in given.items():
        seen, changed = taps_of(network, looks(trial.patches.images, copies)), taps_of(network, trial.changed)
        rows[f"averaged activations of {name}, ridge regression"] = by_ridge(trial, _row(seen), _row(changed))
        rows[f"14 classifiers on {name}"] = by_classifiers(trial, network, seen, changed)
    if epochs:
        rows["network from nothing"] = from_nothing(trial, width, epochs, out)
    Console(width=140).print(table(KNOWN | rows))
    return rows


def table(rows: dict[str, tuple[float, ...]]) -> Table:
    """As it is printed."""
    made = Table("", *HEADINGS, title="Epithelial share of the nuclear area, CoNSeP, 62.5 µm: a stand-in for lesion")
    for name, figures in rows.items():
        made.add_row(name, *(f"{each:.3f}" for each in figures))
    return made


def _row(taps: Taps) -> NDArray[np.float64]:
    """(N, all channels); their logarithm, since some are a thousand times others."""
    return np.concatenate([np.log1p(tap.double().numpy()) for tap in taps], axis=1)


def _named(text: str) -> tuple[str, str]:
    name, _, file = text.partition("=")
    if not name or not file:
        raise typer.BadParameter(f"{text!r}: wanted NAME=FILE, as in imagenet=vgg16.pth")
    return name, file


if __name__ == "__main__":
    try:
        typer.run(real)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
