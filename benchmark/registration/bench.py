"""Phantom pairs laid on each other against the best matrix there is, and pairs that must be refused."""

import tempfile
from pathlib import Path

from histoserve.benchmark.registration.score import score


def run(image: Path | None = None) -> int:
    """Prints a row a pair and the shares; 1 if one misses its target. ValueError for an image."""
    if image is not None:
        raise ValueError("bench registration draws its own pairs: leave out --image")
    with tempfile.TemporaryDirectory() as name:
        return score(Path(name))
