"""Phantom pairs laid on each other against the best matrix there is, and pairs that must be refused.

python -m histoserve.benchmark.registration.score -o out/registration
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from histoserve.benchmark.registration.landmarks import Pair
from histoserve.benchmark.registration.phantoms import phantom_pair
from histoserve.benchmark.registration.tried import Journal, Tried

PAIRS, UNRELATED, FIRST = 100, 20, 1
"""Seeds that were looked at when the thresholds were chosen begin at 1001."""

RATIO, WANTED = 1.2, 0.95
"""Median landmark error over that of the best matrix, and the share of pairs that must stay within."""

TELLING = "lead", "patches_agreeing"
"""Checks whose bounds were chosen by what related and unrelated pairs give."""


def score(folder: Path, pairs: int = PAIRS, unrelated: int = UNRELATED, first: int = FIRST) -> int:
    """Prints a row a pair, and how many were laid well and refused; 1 if one of these misses its target.

    Pictures and rows are kept in the folder, so that it goes on where it was stopped.
    """
    journal = Journal(folder)
    related = [_related(phantom_pair(first + number, folder), journal) for number in range(pairs)]
    # Of each the H&E and the next one's IHC.
    others = [
        _unrelated(first + number, first + (number + 1) % max(pairs, 2), journal, folder) for number in range(unrelated)
    ]
    ratios = np.array([ratio for _, ratio in related])
    tried = [each for each, _ in related]
    within, refused = int((ratios <= RATIO).sum()), int(np.isinf(ratios).sum())
    accepted = sum(each.matrix is not None for each in others)
    for name in TELLING:
        print(f"{name}: {_range(tried, name)}; of unrelated pairs {_range(others, name)}")
    print(
        f"within {RATIO} times the best matrix: {within} of {pairs}, median {np.median(ratios):.2f} times; "
        f"refused: {refused}; of unrelated pairs accepted: {accepted} of {unrelated}; "
        f"{np.median([each.seconds for each in tried]):.1f} s each"
    )
    return 0 if within >= WANTED * pairs and not refused and not accepted else 1


def _related(pair: Pair, journal: Journal) -> tuple[Tried, float]:
    """And its error over that of the best matrix."""
    tried = journal.tried(pair.he, pair.ihc, pair.mpp)
    best = pair.error(pair.best)
    ratio = tried.error(pair) / best
    um = best * pair.diagonal * pair.mpp[1]
    outcome = f"refused: {tried.refused}" if tried.refused else f"{ratio:.2f} times the best matrix's {um:.1f} µm"
    print(f"{pair.name}: {outcome}{_checked(tried)}", flush=True)
    return tried, ratio


def _unrelated(seed: int, other: int, journal: Journal, folder: Path) -> Tried:
    one, another = phantom_pair(seed, folder), phantom_pair(other, folder)
    tried = journal.tried(one.he, another.ihc, (one.mpp[0], another.mpp[1]))
    print(f"{one.name} on {another.name}: {tried.refused or 'ACCEPTED'}{_checked(tried)}", flush=True)
    return tried


def _checked(tried: Tried) -> str:
    found = [f"{name} {value:.2f}" for name in TELLING if (value := tried.checks.get(name)) is not None]
    return f" ({', '.join([*found, f'{tried.seconds:.1f} s'])})"


def _range(tried: Sequence[Tried], name: str) -> str:
    found = [value for each in tried if (value := each.checks.get(name)) is not None]
    return f"{min(found):.2f} to {max(found):.2f}" if found else "none"


def main(arguments: list[str]) -> int:
    """As `score`."""
    parser = ArgumentParser(prog="score", description=__doc__)
    parser.add_argument("-o", dest="folder", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--unrelated", type=int, default=UNRELATED)
    parser.add_argument("--first", type=int, default=FIRST, help="seed")
    said = parser.parse_args(arguments)
    if said.pairs < 1:
        parser.error(f"--pairs {said.pairs}: one or more are wanted")
    return score(said.folder, said.pairs, said.unrelated, said.first)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
