"""Trains the peakmap networks on phantom smears: the extractor, then the head, and beside it the two baselines.

Without a patient's data, so the weights are for demonstration only.
"""

from pathlib import Path
from typing import Annotated

import torch
from rich.progress import track
from torch import Tensor
from typer import Option

from histoserve.export.options import Epochs, Out, Seed
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import FEATURES, Extractor
from histoserve.export.peakmap.network import identity
from histoserve.export.peakmap.rows import Rows, read_rows, rows_of_slide, write_rows
from histoserve.export.peakmap.selection import selection
from histoserve.export.peakmap.smears import EXTRACTOR_SEED, HEAD_SEED, VALIDATION_SEED, draw_smears, read_smear
from histoserve.export.peakmap.train_extractor import train_extractor
from histoserve.export.peakmap.train_head import train_heads
from histoserve.export.weight_file import save_with_score, score_of

TRAINED_ON = "phantom smears, drawn from seeds; others of them choose the epoch"
"""In the passport of what is served of it."""
EPOCHS = 36
"""Of the extractor, 3,200 crops each."""
SIDE_PX = 1536
SLIDES = {EXTRACTOR_SEED: 320, HEAD_SEED: 1600, VALIDATION_SEED: 60}
"""How many from each first seed on. The head needs many: to it a slide is one example, to the extractor hundreds."""
SEEDS = 10_000
"""From one training's first seeds to those of another `seed`."""

ExtractorKind = Annotated[str, Option(help="classifier, detector or segmenter.")]
Feature = Annotated[str, Option(help="map (the last layer) or pyramid (its last three levels).")]


def rows_of(network: Extractor, feature: str, slides: list[Path], folder: Path, threshold: float) -> list[Rows]:
    """The rows of each slide, read in turn; those that an interrupted run left in `folder` are read."""
    folder.mkdir(parents=True, exist_ok=True)
    result = []
    for slide in track(slides, "extracting features", transient=True):
        path = folder / slide.name
        if not path.exists():
            write_rows(path, rows_of_slide(network, feature, read_smear(slide), threshold))
        result.append(read_rows(path))
    return result


def train(
    out: Out,
    *,
    extractor: ExtractorKind = "detector",
    feature: Feature = "map",
    epochs: Epochs = EPOCHS,
    seed: Seed = 0,
) -> Path:
    """Trains into `out`, going on from what is there; returns the path of all weights, as `network` wants.

    `extractor` is one of KINDS, `feature` of FEATURES; ValueError for others.
    """
    if extractor not in KINDS or feature not in FEATURES:
        known = f"{', '.join(KINDS)}; features: {', '.join(FEATURES)}"
        raise ValueError(f"no extractor {extractor!r} with the feature {feature!r}; extractors: {known}")
    drawn = {
        first: draw_smears(out / "slides", range(first + SEEDS * seed, first + SEEDS * seed + count), SIDE_PX)
        for first, count in SLIDES.items()
    }
    slides, validation = ([read_smear(path) for path in drawn[first]] for first in (EXTRACTOR_SEED, VALIDATION_SEED))
    network = train_extractor(extractor, slides, validation, out / extractor, epochs, seed)
    k, threshold = selection()
    # Rows and heads of another extractor or selection, from a run that went on, are not taken for these.
    work = out / f"{extractor}-{feature}" / f"{identity(network)}-{k}-{threshold:g}"
    training, held = (
        rows_of(network, feature, drawn[first], work / "rows", threshold) for first in (HEAD_SEED, VALIDATION_SEED)
    )
    heads = train_heads(training, held, work, k=k, threshold=threshold, seed=seed)
    parts = {"extractor": out / extractor / "second", "head": work / "head"}
    score = {
        f"{part} {name}": value
        for part, folder in parts.items()
        for name, value in (score_of(folder / "best.pt") or {}).items()
    }
    save_with_score(all_weights(network, heads), work.parent / "best.pt", score)
    return work.parent / "best.pt"


def all_weights(network: Extractor, heads: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """One flat dict: `extractor.…`, `head.…`, `mean.…`, `statistics.…`."""
    parts: dict[str, dict[str, Tensor]] = {"extractor": network.state_dict(), **heads}
    return {f"{part}.{name}": torch.clone(value) for part, each in parts.items() for name, value in each.items()}
