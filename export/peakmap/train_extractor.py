"""Trains an extractor of any kind on crops of smears, half of which hold a lesion."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from histoserve.export.ahead import ahead
from histoserve.export.fit import Training, fit
from histoserve.export.peakmap.apply import logits_of
from histoserve.export.peakmap.calibrate import calibrate
from histoserve.export.peakmap.classes import TYPES
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.peakmap.lesions import LesionBatch, batch_of, corner_of_crop, crop
from histoserve.export.peakmap.loss import loss
from histoserve.export.peakmap.smears import LabelledSmear, tiles_of
from histoserve.export.peakmap.validation import precisions, validation_tiles
from histoserve.export.weight_file import load
from histoserve.export.whole import write_whole

BATCH, STEPS, RATE = 32, 100, 2e-3
HARD_PART = 0.1
"""Of the tiles without lesion, the part of highest score that the second half of the training sees more often."""


def batches(slides: list[LabelledSmear], hard: np.ndarray, seed: int, epoch: int) -> Iterator[LesionBatch]:
    """One epoch's batches; the same for the same arguments."""

    def make(step: int) -> LesionBatch:
        random = np.random.default_rng((seed, epoch, step))
        return batch_of([crop(*corner_of_crop(slides, hard, random), random) for _ in range(BATCH)])

    return ahead(make, STEPS)


def hardest(network: Extractor, slides: list[LabelledSmear]) -> np.ndarray:
    """Slide, left and top (n, 3) of the `HARD_PART` of the tiles without lesion that look most like one."""
    places, scores = [], []
    for number, slide in enumerate(track(slides, "looking for hard negatives", transient=True)):
        corners, tiles = tiles_of(slide.image)
        free = np.array([not crop(slide, left, top)[1].any() for left, top in corners], bool)
        places.append(np.column_stack([np.full(free.sum(), number), corners[free]]))
        scores.append(logits_of(network, tiles[free]).max(1, initial=-np.inf))
    score = np.concatenate(scores)
    return np.concatenate(places)[np.argsort(-score, kind="stable")[: max(1, int(HARD_PART * len(score)))]]


def train_extractor(
    kind: str,
    slides: list[LabelledSmear],
    validation: list[LabelledSmear],
    out: Path,
    epochs: int,
    seed: int,
) -> Extractor:
    """Half of the epochs on lesions and anything else, half with the negatives that the first half found hard."""
    torch.manual_seed(seed)
    tiles, labels = validation_tiles(validation, seed)
    network = KINDS[kind](len(TYPES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    hard = np.empty((0, 3), np.int64)
    for number, name in enumerate(("first", "second")):
        training = Training(
            network,
            batches=partial(batches, slides, hard, seed + number),
            steps=STEPS,
            loss=loss,
            score=partial(precisions, tiles=tiles, labels=labels),
            rate=RATE / (1 + number),
            made_of={"seed": seed, "slides": len(slides)},
        )
        network.load_state_dict(load(fit(training, max(1, epochs // 2), out / name)))
        if name == "first":
            kept = out / "hard.npy"
            if not kept.exists():
                content = io.BytesIO()
                np.save(content, hardest(network, slides))
                write_whole(kept, content.getvalue())
            hard = np.load(kept)
    # What is shipped is float16: the head is to learn from the features that it will see.
    network.load_state_dict({k: v.half().to(v.dtype) for k, v in network.state_dict().items()})
    calibrate(network, tiles, labels)
    return network
