"""How far the slides' readings are from their two truths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from histoserve.export.biomarker.validation import spearman

K = 30
"""Tiles that decide ([0101-0103])."""

MOST_ERROR, LEAST_RANK, VOID = 0.05, 0.8, 0.3
"""Wanted of every marker against the second truth; and within which the rank correlation of `null` must be."""


@dataclass(frozen=True)
class Truth:
    """Of the slides, one marker each."""

    cells: NDArray[np.float64]
    """(slides,): positive ÷ tumour cells of the slide; NaN without any."""
    tiles: NDArray[np.float64]
    """(slides,): what the document's rule makes of the true tile readings. It lies above."""


def highest(readings: NDArray[np.float64], k: int = K) -> float:
    """The document's rule: mean of the `k` highest, or of all where there are fewer; NaN tiles have no reading."""
    known = np.sort(readings[np.isfinite(readings)])[::-1]
    return float(known[:k].mean()) if len(known) else float("nan")


def compared(found: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[float, float]:
    """Mean absolute error and rank correlation of the slides that have both."""
    both = np.isfinite(found) & np.isfinite(true)
    if not both.any():
        return float("nan"), float("nan")
    return float(np.abs(found - true)[both].mean()), spearman(found[both], true[both])


def fails(marker: str, found: NDArray[np.float64], truth: Truth) -> str:
    """In words; empty if the marker's readings are as wanted."""
    error, rank = compared(found, truth.tiles)
    if marker == "null":
        return "" if abs(rank) <= VOID else f"null: rank correlation {rank:.2f}, so something else tells of it"
    # Written so that NaN is bad.
    wanted = error <= MOST_ERROR and rank >= LEAST_RANK
    return "" if wanted else f"{marker}: error {error:.3f}, rank correlation {rank:.2f}"


def table(rows: Mapping[str, Sequence[tuple[str, NDArray[np.float64]]]], truths: Mapping[str, Truth]) -> Table:
    """By marker, what each way reads."""
    columns = ("marker", "read", "error, highest true tiles", "rank", "error, cells of the slide", "rank")
    made = Table(*columns)
    for marker, ways in rows.items():
        truth = truths[marker]
        for name, found in (("the rule itself, on true tiles", truth.tiles), *ways):
            figures = (*compared(found, truth.tiles), *compared(found, truth.cells))
            made.add_row(marker, name, *(f"{each:.3f}" for each in figures))
    return made
