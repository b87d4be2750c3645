"""The slides whose results were found: one page each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from histoserve.client.errors import HistoserveError
from histoserve.client.slide import printable
from histoserve.client.view.find import Missing
from histoserve.client.view.problem import Problem
from histoserve.client.view.result import Result, SlideSaid


@dataclass(frozen=True)
class SlideOnPage:
    """One slide, by what its results say of it."""

    number: int
    """In the addresses."""
    said: SlideSaid
    results: Sequence[Result]
    problems: Sequence[Problem] = field(default=())
    """Of folders that lie beside its results."""


def group(results: Sequence[Result], missing: Sequence[Missing]) -> tuple[list[SlideOnPage], list[Problem]]:
    """By the bytes of the slide, in the order found; with them the problems of no slide that is shown.

    Raises HistoserveError if two results of the same bytes contradict each other.
    """
    by_content: dict[str, list[Result]] = {}
    for result in results:
        by_content.setdefault(result.slide.content, []).append(result)
    homes = {result.folder.parent.resolve(): content for content, each in by_content.items() for result in each}
    problems: dict[str | None, list[Problem]] = {}
    for each in missing:
        problems.setdefault(homes.get(each.folder.parent.resolve()), []).append(each.problem)
    slides = [
        SlideOnPage(number, _agreed(each), each, problems.get(content, []))
        for number, (content, each) in enumerate(by_content.items())
    ]
    return slides, problems.get(None, [])


def _agreed(results: Sequence[Result]) -> SlideSaid:
    first = results[0]
    for other in results[1:]:
        if other.slide.l0_size != first.slide.l0_size or not _same_mpp(first.slide.mpp, other.slide.mpp):
            raise HistoserveError(
                f"{printable(first.folder)} and {printable(other.folder)} are of one slide, {first.slide.name}, "
                f"but say {_scale(first.slide)} and {_scale(other.slide)}: they cannot be shown on one page. "
                "Give one of them, or analyse the slide again with one --mpp."
            )
    return first.slide


def _same_mpp(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and math.isclose(one, other, rel_tol=0.001))


def _scale(said: SlideSaid) -> str:
    return f"{said.l0_size[0]}×{said.l0_size[1]} px at {said.mpp} µm/px"
