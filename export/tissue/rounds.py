"""Training until the network is good enough as it is served (CN113887377A [0084, 0097], steps B-H).

train ─▶ export, serve, analyse slides that no training saw ─▶ good enough, or no round left: done
  ▲                                                      │ else
  ╰─ more slides are drawn, and training goes on ◀───────╯
"""

import hashlib
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from histoserve.export.as_served import analysed
from histoserve.export.drawn import drawn
from histoserve.export.tissue.answers import as_served
from histoserve.export.tissue.figures import Scored, figures
from histoserve.export.tissue.results import PIPELINE, read_result
from histoserve.export.tissue.truth import read_truth
from histoserve.export.whole import write_whole
from histoserve.phantom import write_phantom

SERVED_SEED = 50_000_000
"""The first seed of the slides that are served: no training, validation or score sees them."""
SLIDES, SIZE, MPP = 12, (3000, 3000), 1.0
"""How many these are, and what they are: px, µm/px."""
MEASURE = "balanced tile accuracy"

Train = Callable[[int, Path, Path | None], Path]
"""Number of the round from 0 on, its folder, the weights that it goes on from → the best weights of the round."""
Serve = Callable[[Path, Path], dict[str, float]]
"""Weights, folder of the results → figures of what was served."""


def train_until(target: float, rounds: int, out: Path, train: Train, serve: Serve) -> Path:
    """The weights that are best as served, of as many rounds as it takes to reach `target`, and of `rounds` at most.

    The first round is the training in `out`, each further one has a folder there. Interrupted, it goes on with the
    round and the step that it was in.
    """
    found: list[tuple[float, Path]] = []
    for number in range(rounds):
        folder = out / f"round-{number + 1}" if number else out
        folder.mkdir(parents=True, exist_ok=True)
        weights = train(number, folder, found[-1][1] if found else None)
        reached = _served_once(weights, folder, serve)[MEASURE]
        Console().print(f"round {number + 1} of {rounds}: {MEASURE} {reached:.4f} as served, wanted {target:g}")
        found.append((-math.inf if math.isnan(reached) else reached, weights))
        if reached >= target:
            break
    return max(found, key=lambda each: each[0])[1]


def serve_and_score(slides: Path, first_seed: int, weights: Path, results: Path) -> dict[str, float]:
    """Figures of a server with these weights, on slides that are drawn into the folder `slides` unless they are there.

    Their stains are the training's: how new ones do is for the score alone to tell.
    """
    slides.mkdir(parents=True, exist_ok=True)
    files = drawn(partial(write_slide, slides), range(first_seed, first_seed + SLIDES))
    analysed(PIPELINE, weights, files, results)
    scored = []
    for file in files:
        truth = read_truth(file.with_suffix(".geojson"))
        scored.append(Scored(truth, {PIPELINE: as_served(read_result(results / file.stem / PIPELINE), truth)}))
    return figures(scored, PIPELINE)


def write_slide(folder: Path, seed: int) -> Path:
    """Draws the slide of this seed, and its truth, unless they are there."""
    path = folder / f"{seed}.tiff"
    truth = path.with_suffix(".geojson")
    # It is written last.
    if not truth.exists():
        write_phantom(path, kind="lesion", size=SIZE, mpp=MPP, seed=seed, truth=truth)
    return path


def _served_once(weights: Path, folder: Path, serve: Serve) -> dict[str, float]:
    """As `serve` says, or said of the same weights before an interruption."""
    kept, digest = folder / "served.json", hashlib.sha256(weights.read_bytes()).hexdigest()
    if kept.exists():
        before = json.loads(kept.read_text())
        if before["weights"] == digest:
            return {str(name): float(figure) for name, figure in before["figures"].items()}
    found = serve(weights, folder / "served")
    write_whole(kept, json.dumps({"weights": digest, "figures": found}, indent=2).encode())
    return found
