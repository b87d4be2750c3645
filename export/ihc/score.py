"""Scores readings of stained slides: what `histoserve read-ihc` wrote, against phantoms' truth and people's marks.

Beside the network stands the area of brown by colour alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from typer import Option

from histoserve.export.ihc.by_colour import ratio_by_colour
from histoserve.export.ihc.real import marked
from histoserve.export.ihc.truth import Truth, read_truth
from histoserve.export.options import Labelled, Results
from histoserve.export.served_pictures import served_pictures

PIPELINE, SIDE = "ihc", 512
WIDTH = 120

Marked = Annotated[Path | None, Option(metavar="DIR", help="Tiles that people marked: NAME.png beside NAME_truth.png.")]


@dataclass(frozen=True)
class Scored:
    """One slide."""

    name: str
    truth: Truth
    positive: int
    negative: int
    ratio: float
    """NaN where no tumour was found."""
    by_colour: float


def score(data: Labelled, results: Results, marked: Marked = None) -> dict[str, float]:
    """Prints true ratios and counts beside those of `results/<slide>/ihc/`; returns mean absolute errors by group.

    A slide's truth is `data/<slide>.geojson`, or `marked/<slide>_truth.png`; it lies beside its slide. ValueError where
    there is no result, or no truth or slide of one.
    """
    found = {path.parents[1].name: path for path in sorted(results.glob(f"*/{PIPELINE}/result.json"))}
    if not found:
        raise ValueError(f"no */{PIPELINE}/result.json in {results}: run `histoserve read-ihc SLIDE… -o {results}`")
    slides = [scored(name, path, data, marked) for name, path in track(found.items(), "scoring slides", transient=True)]
    Console(width=WIDTH).print(each_slide(slides), groups(slides))
    return {
        f"{way}, {group}": error
        for group in group_names(slides)
        for way, (error, _) in errors([each for each in slides if each.truth.group == group]).items()
    }


def scored(name: str, path: Path, data: Path, marked_in: Path | None) -> Scored:
    by_people = marked(marked_in, name) if marked_in else None
    truth = by_people or read_truth(data / f"{name}.geojson")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        told, size = content["result"], (content["slide"]["width"], content["slide"]["height"])
        positive, negative, ratio = int(told["positive"]), int(told["negative"]), told["ratio"]
        slide = (data if by_people is None or marked_in is None else marked_in) / content["slide"]["name"]
        pictures = served_pictures(slide, content, squares(*size), SIDE)
    except (LookupError, TypeError) as error:
        raise ValueError(f"{path} is no result of {PIPELINE}: {error!r}") from error
    return Scored(name, truth, positive, negative, np.nan if ratio is None else float(ratio), ratio_by_colour(pictures))


def squares(width: int, height: int) -> NDArray[np.float32]:
    """(N, 4) that cover a slide, at level 0; beyond it is glass."""
    corners = [(x, y, SIDE, SIDE) for y in range(0, height, SIDE) for x in range(0, width, SIDE)]
    return np.array(corners, np.float32)


def errors(slides: Sequence[Scored]) -> dict[str, tuple[float, float]]:
    """Mean and worst absolute error by way of reading; a slide is left out where truth or reading is NaN."""
    result = {}
    for way, read in (("served", [each.ratio for each in slides]), ("brown area", [each.by_colour for each in slides])):
        away = np.abs(np.array(read) - [each.truth.ratio for each in slides])
        away = away[~np.isnan(away)]
        result[way] = (float(away.mean()), float(away.max())) if len(away) else (np.nan, np.nan)
    return result


def group_names(slides: Sequence[Scored]) -> list[str]:
    return sorted({each.truth.group for each in slides})


def each_slide(slides: Sequence[Scored]) -> Table:
    """A line a slide, by group."""
    made = Table(title="Positive ÷ (positive + negative) tumour cells")
    for column in ("stain", "slide", "truth", "served", "brown area", "true +", "true −", "served +", "served −"):
        made.add_column(column, justify="left" if column in ("stain", "slide") else "right")
    for each in sorted(slides, key=lambda one: (one.truth.group, one.name)):
        ratios = (f"{ratio:.3f}" for ratio in (each.truth.ratio, each.ratio, each.by_colour))
        counts = (each.truth.positive, each.truth.negative, each.positive, each.negative)
        made.add_row(each.truth.group, each.name, *ratios, *map(str, counts))
    return made


def groups(slides: Sequence[Scored]) -> Table:
    """Errors of each group, and on how many slides tumour was told rightly from none."""
    made = Table(title="Absolute error of the ratio")
    for column in ("stain", "slides", "served", "worst", "brown area", "worst", "tumour or none, rightly"):
        made.add_column(column, justify="left" if column == "stain" else "right")
    for name in group_names(slides):
        group = [each for each in slides if each.truth.group == name]
        figures = (f"{figure:.3f}" for pair in errors(group).values() for figure in pair)
        right = sum(np.isnan(each.ratio) == np.isnan(each.truth.ratio) for each in group)
        made.add_row(name, str(len(group)), *figures, str(right))
    return made
