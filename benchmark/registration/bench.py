"""Phantom pairs laid on each other against the best matrix there is, and pairs that must be refused."""

import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from histoserve.benchmark.registration.landmarks import Pair
from histoserve.benchmark.registration.phantoms import phantom_pair
from histoserve.client.registration.command import register_files
from histoserve.client.registration.register import NotRegistered

PAIRS, FIRST_SEED = 100, 1

RATIO, WANTED = 1.2, 0.95
"""Median landmark error over that of the best matrix, and the share of pairs that must stay within."""

UNRELATED = 20


class Tried(NamedTuple):
    """A pair, laid."""

    ratio: float
    """Error over that of the best matrix; infinity if it was refused."""
    seconds: float
    """Of one processor."""


def run(image: Path | None = None) -> int:
    """Prints a row a pair and the shares; 1 if one misses its target. ValueError for an image."""
    if image is not None:
        raise ValueError("bench registration draws its own pairs: leave out --image")
    return score(PAIRS, UNRELATED)


def score(pairs: int, unrelated: int) -> int:
    """As `run`, of so many."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn = [phantom_pair(FIRST_SEED + number, folder) for number in range(max(pairs, unrelated))]
        tried = [_tried(pair, folder) for pair in drawn[:pairs]]
        accepted = sum(_accepted(drawn[i], drawn[(i + 1) % len(drawn)], folder) for i in range(unrelated))
    ratios = np.array([each.ratio for each in tried])
    within, refused = int((ratios <= RATIO).sum()), int(np.isinf(ratios).sum())
    print(
        f"within {RATIO} times the best matrix: {within} of {pairs}, median {np.median(ratios):.2f} times; "
        f"refused: {refused}; of unrelated pairs accepted: {accepted} of {unrelated}; "
        f"{np.median([each.seconds for each in tried]):.1f} s each"
    )
    return 0 if within >= WANTED * pairs and not refused and not accepted else 1


def _tried(pair: Pair, folder: Path) -> Tried:
    begun = time.process_time()
    best = pair.error(pair.best)
    try:
        found, _ = register_files(pair.he, pair.ihc, folder / pair.name, *pair.mpp)
        ratio = pair.error(found.matrix) / best
    except NotRegistered as error:
        print(f"{pair.name} refused: {error}")
        ratio = math.inf
    seconds = time.process_time() - begun
    um = best * pair.diagonal * pair.mpp[1]
    print(f"{pair.name}: {ratio:.2f} times the best matrix's {um:.1f} µm, {seconds:.1f} s", flush=True)
    return Tried(ratio, seconds)


def _accepted(one: Pair, other: Pair, folder: Path) -> bool:
    """Whether two that show different tissue were laid on each other."""
    try:
        register_files(one.he, other.ihc, folder / f"{one.name} on {other.name}", one.mpp[0], other.mpp[1])
    except NotRegistered as error:
        print(f"{one.name} on {other.name}: {error}", flush=True)
        return False
    print(f"{one.name} on {other.name}: accepted")
    return True
