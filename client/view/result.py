"""One result as `analyze` left it, checked as far as the page relies on it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from histoserve.client.results.folder import LAST, PREVIOUS, UNFINISHED
from histoserve.client.results.layers_json import LAYERS, Saved, read_layers
from histoserve.client.results.result_json import SCHEMA, read_result
from histoserve.client.view.problem import Code, NotShown, Problem
from histoserve.client.view.result_said import describe_result

LARGEST = 10_000_000
"""Px of a slide's side: no scanner comes near, and all numbers derived from it stay exact."""

T = TypeVar("T")


@dataclass(frozen=True)
class SlideSaid:
    """The slide, by `result.json`."""

    name: str
    l0_size: tuple[int, int]
    mpp: float | None
    mpp_given: bool
    """By the user, not by the file."""
    objective_power: float | None
    content: str
    """sha256 as in `results/source`."""


@dataclass(frozen=True)
class Result:
    """One pipeline's, of one slide."""

    folder: Path
    pipeline: str
    slide: SlideSaid
    saved: Saved
    described: Mapping[str, Any]
    """As `description.json` has it."""

    @property
    def layers(self) -> Sequence[Mapping[str, Any]]:
        """As described."""
        layers: Sequence[Mapping[str, Any]] = self.described["layers"]
        return layers


def read_folder(folder: Path) -> Result:
    """Raises NotShown for what is no complete result of this version."""
    name = folder.name.removeprefix(PREVIOUS)

    def no(code: Code, detail: str) -> NotShown:
        return NotShown(Problem(code, name.removeprefix(UNFINISHED).partition("-")[0], detail))

    if name.startswith(UNFINISHED):
        raise no("unfinished", "The analysis has not finished; when it has, start this page again.")
    try:
        said = read_result(folder / LAST)
    except RecursionError:
        said = None
    if said is None:
        there = (folder / LAST).exists()
        raise (
            no("damaged", f"{LAST} is not what histoserve writes: analyse the slide again.")
            if there
            else no("no-result", f"There is no {LAST}: this is no result of histoserve, or not a whole one.")
        )
    if said.get("schema") != SCHEMA:
        raise no(
            "newer",
            f"The result has version {said.get('schema')!r}, this histoserve shows {SCHEMA}: "
            "show it with the histoserve that made it, or a newer one.",
        )
    if not (folder / LAYERS).is_file():
        raise no("no-layers", f"There is no {LAYERS}: an earlier histoserve made this result. Analyse the slide again.")
    try:
        pipeline, saved = _pipeline(said), _saved(folder)
        return Result(folder, pipeline, _slide(said["slide"]), saved, describe_result(said, saved, pipeline))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
        raise no("damaged", f"The result is damaged ({_said(error)}): analyse the slide again.") from error


def _pipeline(said: Mapping[str, Any]) -> str:
    name = said["pipeline"]["name"]
    # It names a file of the folder.
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"its pipeline is called {name!r}")
    return name


def _slide(said: Mapping[str, Any]) -> SlideSaid:
    width, height = (_checked(said[side], int, lambda px: 0 < px <= LARGEST) for side in ("width", "height"))
    mpp, power = (
        None if said.get(name) is None else _checked(said[name], (int, float), lambda each: 0 < each < math.inf)
        for name in ("mpp", "objective_power")
    )
    return SlideSaid(
        _checked(said["name"], str, bool),
        (width, height),
        mpp,
        said.get("mpp_from") != "slide",
        power,
        _checked(said["content_sha256"], str, bool),
    )


def _checked(value: Any, kind: type | tuple[type, ...], right: Callable[[Any], bool]) -> Any:
    if isinstance(value, bool) or not isinstance(value, kind) or not right(value):
        raise ValueError(f"it holds {value!r:.40} where that cannot be")
    return value


def _saved(folder: Path) -> Saved:
    saved = read_layers(folder / LAYERS)
    background = saved.background
    for region in (background.overview, *background.seen, *background.not_seen):
        if len(region) != 4 or not all(isinstance(each, int | float) and math.isfinite(each) for each in region):
            raise ValueError(f"{LAYERS} holds the region {region!r:.60}")
    return saved


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "it cannot be read"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
