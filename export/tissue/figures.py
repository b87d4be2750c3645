"""How good answers are, over groups of slides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from histoserve.export.tissue.answers import Answer
from histoserve.export.tissue.classes import CLASSES
from histoserve.export.tissue.truth import Truth

SHARE_BINS = ((0.0, 0.05), (0.05, 0.15), (0.15, 1.0))
"""Above the first part of the tissue that is lesion, up to the last, of each group."""


@dataclass(frozen=True)
class Scored:
    """One slide."""

    truth: Truth
    answers: dict[str, Answer]
    """By the way they came about."""


def figures(slides: Sequence[Scored], way: str) -> dict[str, float]:
    """Over the slides, and over all their tiles together; NaN where there is nothing to measure."""
    pairs = [(each.truth.slide_class, each.answers[way]) for each in slides]
    abnormal = np.concatenate([answer.abnormal for _, answer in pairs])
    lesion = np.concatenate([answer.lesion for _, answer in pairs])
    sides = [float((abnormal[lesion == is_lesion] == is_lesion).mean()) for is_lesion in set(lesion.tolist())]
    return {
        "slides rightly classed": float(np.mean([answer.found == true for true, answer in pairs])),
        "normal or not": float(np.mean([_is_normal(answer.found) is _is_normal(true) for true, answer in pairs])),
        "balanced tile accuracy": float(np.mean(sides)) if sides else float("nan"),
        # Without a lesion every false alarm would make it 0, one or a hundred.
        "IoU of abnormal tiles": float((abnormal & lesion).sum() / (abnormal | lesion).sum())
        if lesion.any()
        else float("nan"),
    }


def groups(slides: Sequence[Scored]) -> dict[str, list[Scored]]:
    """All; by stains; by class; by how much of the tissue is lesion. Only those that have a slide."""

    def where(chosen: Callable[[Truth], bool]) -> list[Scored]:
        return [each for each in slides if chosen(each.truth)]

    found = {"all slides": list(slides)}
    for stains in sorted({each.truth.stains for each in slides}, reverse=True):
        found[f"stains: {stains}"] = where(lambda truth, stains=stains: truth.stains == stains)  # type: ignore[misc]
    for name in CLASSES:
        found[f"class: {name}"] = where(lambda truth, name=name: truth.slide_class == name)  # type: ignore[misc]
    for low, high in SHARE_BINS:
        name = f"lesion: {low:.0%} to {high:.0%}" if high < 1 else f"lesion: over {low:.0%}"
        found[name] = where(lambda truth, low=low, high=high: low < truth.share_of_tissue <= high)  # type: ignore[misc]
    return {name: own for name, own in found.items() if own}


def _is_normal(name: str | None) -> bool | None:
    return None if name is None else name == CLASSES[0]
