"""Scores served slide classes and regions: what `histoserve analyze` wrote of phantom slides, against their truth.

Beside the network stand another one, features made by hand, other rules for the slide, and the best that its rule
allows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from typer import Option

from histoserve.export.options import Labelled, Results
from histoserve.export.result_files import named_results, result_folders
from histoserve.export.tissue.answers import Answer, Probabilities, as_served, by_mean_of, by_tiles, by_truth
from histoserve.export.tissue.by_hand import by_hand as classifier_by_hand
from histoserve.export.tissue.figures import Scored, figures, groups
from histoserve.export.tissue.results import PIPELINE, read_result
from histoserve.export.tissue.truth import read_truth

NETWORK, MEAN, BY_HAND = "network, as served", "mean of all its tiles", "features made by hand"
FEW = 3
FEWER, TRUE = f"mean of its {FEW} highest", "same rule, true tiles"
WIDTH = 140

Other = Annotated[
    list[str] | None,
    Option(metavar="NAME=RESULTS", help="Results of another network on the same slides; may be repeated."),
]
ByHand = Annotated[
    Path | None,
    Option(metavar="FILE", help="Classifier of hand-made features; fitted and written if it is not there."),
]
Training = Annotated[
    Path | None, Option(metavar="DIR", help="Slides to fit it on, as `train tissue` leaves them in OUT/slides.")
]


def score(
    data: Labelled, results: Results, other: Other = None, by_hand: ByHand = None, training: Training = None
) -> dict[str, dict[str, float]]:
    """Prints the figures of `results/<slide>/tissue/` against `data/<slide>.geojson`; returns those of all slides.

    Hand-made features look at the slides themselves, which lie in `data` too. Raises ValueError where there is no
    result, no truth of one, or no slide.
    """
    others = named_results(other, (NETWORK, FEWER, MEAN, TRUE, BY_HAND))
    probabilities = classifier_by_hand(by_hand, training) if by_hand or training else None
    slides = [
        _scored(name, folder, data, others, probabilities)
        for name, folder in track(result_folders(results, PIPELINE).items(), "scoring slides", transient=True)
    ]
    Console(width=WIDTH).print(table(slides))
    return {way: figures(slides, way) for way in slides[0].answers}


def table(slides: Sequence[Scored]) -> Table:
    """A line for each way of looking at each group of slides."""
    ways = list(slides[0].answers)
    made = Table(title="Slides and tiles of tissue against their truth")
    for column in ("slides", "", "by", *figures(slides, ways[0])):
        made.add_column(column, justify="left" if column in ("slides", "by") else "right", no_wrap=column == "by")
    for name, group in groups(slides).items():
        for way in ways:
            first = way == ways[0]
            shown = (_shown(each) for each in figures(group, way).values())
            made.add_row(name if first else "", str(len(group)) if first else "", way, *shown)
        made.add_section()
    return made


def _scored(
    name: str, folder: Path, data: Path, others: dict[str, Path], probabilities: Probabilities | None
) -> Scored:
    truth = read_truth(data / f"{name}.geojson")
    result = read_result(folder)
    answers: dict[str, Answer] = {NETWORK: as_served(result, truth)}
    for way, results in others.items():
        answers[way] = as_served(read_result(results / name / folder.name), truth)
    if probabilities is not None:
        answers[BY_HAND] = by_tiles(result, truth, data / result.slide_name, probabilities)
    answers |= {FEWER: by_mean_of(result, FEW), MEAN: by_mean_of(result), TRUE: by_truth(result, truth)}
    return Scored(truth, answers)


def _shown(figure: float) -> str:
    return "" if np.isnan(figure) else f"{figure:.3f}"
