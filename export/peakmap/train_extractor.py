"""Trains an extractor of any kind on crops of smears, half of which hold a lesion."""

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn import functional

from histoserve.export.fit import ahead, fit
from histoserve.export.graph import Standardise
from histoserve.export.overlap import dice
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import Extractor
from histoserve.export.peakmap.extractors.classifier import Classifier
from histoserve.export.peakmap.extractors.detector import Detector
from histoserve.export.peakmap.lesions import LesionBatch, batch_of, corner_of_crop, crop
from histoserve.export.peakmap.network import TYPES
from histoserve.export.peakmap.smears import LabelledSmear, tiles_of
from histoserve.export.weight_file import load
from histoserve.export.whole import write_whole

BATCH, STEPS, RATE = 32, 100, 2e-3
FOCUS = 2.0
"""Exponent of the focal loss (Lin et al., 2017): how much less a crop counts that is already told right."""
LAST = 3.0
"""Weight of what the last layer says alone: it is the feature map, and the head can use only what is told there."""
HARD_PART = 0.1
"""Of the tiles without lesion, the part of highest score that the second half of the training sees more often."""
NEGATIVES = 4
"""Validation tiles without lesion for each with one."""

standardise = Standardise()


def focal(logit: Tensor, truth: Tensor) -> Tensor:
    """Binary focal loss of each element; `truth` 0 or 1."""
    right = torch.where(truth > 0.5, logit, -logit)
    return -functional.logsigmoid(right) * torch.sigmoid(-right) ** FOCUS


def classifier_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    known = batch.label >= 0
    return focal(raw, batch.label)[known].mean()


def detector_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    """CenterNet's focal loss, milder around a centre, and the error of the boxes there, in grid cells."""
    logit, sides = raw[:, :-4], raw[:, -4:]
    centre = (batch.heat == 1).float()
    weight = torch.where(centre > 0, 1.0, (1 - batch.heat) ** 4) * batch.known
    centres = centre.sum().clamp(min=1)
    boxed = (batch.sides.sum(1, keepdim=True) > 0).float()
    distance = (functional.smooth_l1_loss(sides, batch.sides, reduction="none") * boxed).sum() / boxed.sum().clamp(
        min=1
    )
    return (focal(logit, centre) * weight).sum() / centres + 0.5 * distance


def segmenter_loss(raw: Tensor, batch: LesionBatch) -> Tensor:
    return functional.cross_entropy(raw, batch.mask) + dice(raw, batch.mask)


def loss(network: Extractor, batch: LesionBatch) -> Tensor:
    image = standardise(batch.image).contiguous(memory_format=torch.channels_last)
    maps = network.backbone(image)
    raw = network.head(maps)
    last = LAST * classifier_loss(network.last_logit(maps), batch)
    if isinstance(network, Detector):
        return last + detector_loss(raw, batch)
    return last + (classifier_loss(raw, batch) if isinstance(network, Classifier) else segmenter_loss(raw, batch))


def batches(slides: list[LabelledSmear], hard: np.ndarray, seed: int, epoch: int) -> Iterator[LesionBatch]:
    """One epoch's batches; the same for the same arguments."""

    def make(step: int) -> LesionBatch:
        random = np.random.default_rng((seed, epoch, step))
        return batch_of([crop(*corner_of_crop(slides, hard, random), random) for _ in range(BATCH)])

    return ahead(make, STEPS)


def in_batches(network: nn.Module, tiles: np.ndarray, size: int = 64) -> Iterator[list[Tensor]]:
    """The backbone's maps and, last, what the head gave, of tiles uint8 (n, H, W, 3)."""
    network.eval()
    for start in range(0, len(tiles), size):
        with torch.no_grad():
            image = standardise(torch.from_numpy(tiles[start : start + size]))
            maps = network.backbone(image.contiguous(memory_format=torch.channels_last))  # type: ignore[operator]
            yield [*maps, network.head(maps)]  # type: ignore[operator]


def logits_of(network: nn.Module, tiles: np.ndarray) -> np.ndarray:
    """(n, types), before calibration."""
    found = [network.logit(raw).numpy() for *_, raw in in_batches(network, tiles)]  # type: ignore[operator]
    return np.concatenate(found) if found else np.empty((0, len(TYPES)), np.float32)


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


def precisions(network: nn.Module, tiles: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    score = logits_of(network, tiles)
    each = {f"AP {name}": average_precision(score[:, t], labels[:, t]) for t, name in enumerate(TYPES)}
    return {"AP": float(np.mean(list(each.values()))), **each}


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


def calibrate(network: Extractor, tiles: np.ndarray, labels: np.ndarray) -> None:
    """Sets scale and shift so that the score is a probability where a type is there as often as not.

    ValueError unless each type is in some of the tiles and not in others.
    """
    logits = logits_of(network, tiles)
    for t, name in enumerate(TYPES):
        known = labels[:, t] >= 0
        truth = labels[known, t] > 0
        if truth.all() or not truth.any():
            raise ValueError(f"no validation slide shows {name}, or none is without: draw more validation slides")
        # A higher confidence must stay the higher one, whatever a hardly trained network says.
        scale, shift = logistic_line(logits[known, t], truth)
        network.scale[t], network.shift[t] = max(scale, 0.01), shift


def logistic_line(logit: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Scale and shift of the logits (n,) that tell `truth` best, true and false weighing the same (Platt, 1999)."""
    weight = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
    sign = np.where(truth, -1.0, 1.0)

    def error(line: np.ndarray) -> float:
        # The small term keeps the line finite where the logits separate the tiles.
        return float(weight @ np.logaddexp(0, sign * (line[0] * logit + line[1])) + 1e-3 * line[0] ** 2)

    scale, shift = minimize(error, np.array([1.0, 0.0])).x
    return float(scale), float(shift)


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
        best = fit(
            network,
            batches=partial(batches, slides, hard, seed + number),
            steps=STEPS,
            loss=loss,
            score=partial(precisions, tiles=tiles, labels=labels),
            epochs=max(1, epochs // 2),
            highest_rate=RATE / (1 + number),
            out=out / name,
            configuration={"seed": seed, "slides": len(slides)},
        )
        network.load_state_dict(load(best))
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
