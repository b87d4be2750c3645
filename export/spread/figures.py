"""How good answers are, over the slides of a group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.export.spread.answers import Answer
from histoserve.export.spread.truth import Truth
from histoserve.export.spread.validation import spearman

WITHIN = np.cos(np.deg2rad(30))
"""A direction that is no farther off is right."""


@dataclass(frozen=True)
class Scored:
    """One slide: its truth, and what each way of valuing its regions says."""

    truth: Truth
    region_um: float
    shares: NDArray[np.float64]
    """(rows, columns): true shares, NaN without a cell."""
    true: Answer
    """By the true shares: the most that any value could tell."""
    answers: dict[str, Answer]


def figures(slides: Sequence[Scored], way: str) -> dict[str, float]:
    """Parts of the slides, a rank correlation over all regions, and mean errors in regions; NaN where of nothing."""
    pairs = [(slide, slide.answers[way]) for slide in slides]
    aimed = [(slide, answer) for slide, answer in pairs if slide.truth.direction is not None]
    farthest_off = [abs(answer.farthest_um - slide.true.farthest_um) / slide.region_um for slide, answer in pairs]
    return {
        "direction within 30°": _mean([_is_right(answer, slide.truth) for slide, answer in aimed]),
        "none where there is none": _mean(
            [answer.direction is None for slide, answer in pairs if slide.truth.direction is None]
        ),
        "Spearman of value": _spearman(pairs),
        "farthest within a region": _mean([off <= 1 for off in farthest_off]),
        "lesion off by, regions": _mean([_area_off(slide, answer, 0) for slide, answer in pairs]),
        "reached off by, regions": _mean([_area_off(slide, answer, 1) for slide, answer in pairs]),
    }


def groups(slides: Sequence[Scored]) -> dict[str, list[Scored]]:
    """All, by stains, by pattern."""
    found = {"all": list(slides)}
    for slide in sorted(slides, key=lambda each: each.truth.stains):
        found.setdefault(f"stains: {slide.truth.stains}", []).append(slide)
    for slide in sorted(slides, key=lambda each: each.truth.pattern):
        found.setdefault(f"spread: {slide.truth.pattern}", []).append(slide)
    return found


def _is_right(answer: Answer, truth: Truth) -> bool:
    if answer.direction is None or truth.direction is None:
        return False
    length = np.linalg.norm(answer.direction) * np.linalg.norm(truth.direction)
    return bool(answer.direction @ truth.direction >= WITHIN * length)


def _spearman(pairs: Sequence[tuple[Scored, Answer]]) -> float:
    value = np.concatenate([answer.value.ravel() for _, answer in pairs])
    share = np.concatenate([slide.shares.ravel() for slide, _ in pairs])
    known = np.isfinite(value) & np.isfinite(share)
    return spearman(value[known], share[known]) if known.any() else float("nan")


def _area_off(slide: Scored, answer: Answer, which: int) -> float:
    return abs(answer.mm2[which] - slide.true.mm2[which]) / (slide.region_um / 1000) ** 2


def _mean(numbers: Sequence[float]) -> float:
    return float(np.mean(numbers)) if len(numbers) else float("nan")
