"""Scores served slide classes: the results that `histoserve analyze` wrote of phantom smears, against their truth."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from typer import Option

from histoserve.export.options import Labelled, Results
from histoserve.export.peakmap.bags import Bag, bag_of
from histoserve.export.peakmap.baselines import MeanOfTiles, Statistics
from histoserve.export.peakmap.classes import CLASSES
from histoserve.export.peakmap.extractors import extractor_from_weights
from histoserve.export.peakmap.extractors.backbone import MPP, TILE_PX
from histoserve.export.peakmap.head import head_from_weights
from histoserve.export.peakmap.logits import LOGITS
from histoserve.export.peakmap.network import part_of
from histoserve.export.peakmap.rows import rows_of_slide
from histoserve.export.peakmap.selection import selection
from histoserve.export.peakmap.smears import smear_from_seed
from histoserve.export.weight_file import weights_from_file

WEIGHTS = Path(__file__).with_name("weights.pt")
Weights = Annotated[Path, Option(help="Of the baselines.", show_default="those that come with it")]
BASELINES = {"mean": "mean of all tile features", "statistics": "statistics of tile confidences"}
LESION_BINS = ((0, 0), (1, 3), (4, 10), (11, 30), (31, 10**9))
"""First and last number of lesion cells of each line."""


@dataclass(frozen=True)
class Answer:
    """What one slide is, and what each method takes it for: indices in CLASSES."""

    truth: int
    lesions: int
    found: dict[str, int]
    """by method"""


def read_truth(path: Path) -> tuple[int, int, dict]:
    """Class, number of lesion cells, and the header of a phantom's truth file."""
    header = json.loads(path.read_text())["phantom"]
    if header["kind"] != "cytology":
        raise ValueError(f"{path} is the truth of a {header['kind']} phantom, wanted one of --kind cytology")
    return CLASSES.index(header["class"]), sum(header["counts"].values()), header


def class_from_result(path: Path) -> int:
    """Of `result.json`; ValueError for a slide that was not classified."""
    found = json.loads(path.read_text())["result"]["class"]
    if found not in CLASSES:
        raise ValueError(f"{path} has the class {found!r}, wanted one of {', '.join(CLASSES)}")
    return CLASSES.index(found)


def baselines_from_weights(weights: dict[str, Tensor]) -> Callable[[dict], dict[str, int]]:
    """What tells the baselines' classes of the phantom that a truth file's header describes."""
    extractor = extractor_from_weights(part_of(weights, "extractor"))
    _, feature = head_from_weights(part_of(weights, "head"))
    features = weights["mean.embed.0.weight"].shape[1]
    networks = {"mean": MeanOfTiles(features), "statistics": Statistics()}
    for name, network in networks.items():
        network.load_state_dict(part_of(weights, name))
        network.eval()
    k, threshold = selection()

    def classes_of(header: dict) -> dict[str, int]:
        slide = smear_from_seed(header["seed"], tuple(header["size"]), header["mpp"])
        rows = rows_of_slide(extractor, feature, slide, threshold, round(TILE_PX * MPP / header["mpp"]))
        bag: Bag = bag_of(rows, k, threshold)
        with torch.no_grad():
            return {BASELINES[name]: int(LOGITS[name](network, [bag]).argmax()) for name, network in networks.items()}

    return classes_of


def confusion(truth: Sequence[int], found: Sequence[int]) -> np.ndarray:
    """Slides of each class (rows) taken for each class (columns)."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (list(truth), list(found)), 1)
    return counts


def accuracies(answers: list[Answer]) -> dict[str, float]:
    """Share of right answers by method."""
    return {
        method: float(np.mean([each.found[method] == each.truth for each in answers])) for method in answers[0].found
    }


def table_of_accuracies(answers: list[Answer]) -> Table:
    """By class and by number of lesion cells, one column a method."""
    groups = [("all slides", answers)]
    groups += [(name, [each for each in answers if each.truth == c]) for c, name in enumerate(CLASSES)]
    for first, last in LESION_BINS:
        name = f"{first}" if first == last else f"{first} to {last}" if last < 10**9 else f"{first} or more"
        groups.append((f"lesion cells: {name}", [each for each in answers if first <= each.lesions <= last]))
    table = Table(title="Share of slides given the right class")
    for column in ("", "slides", *answers[0].found):
        table.add_column(column, justify="right" if column else "left", no_wrap=not column)
    for name, group in groups:
        if group:
            table.add_row(name, str(len(group)), *(f"{share:.1%}" for share in accuracies(group).values()))
    return table


def table_of_confusion(answers: list[Answer], method: str) -> Table:
    counts = confusion([each.truth for each in answers], [each.found[method] for each in answers])
    table = Table(title=f"Slides by true class (rows) and found class (columns): {method}")
    table.add_column("true class")
    for name in CLASSES:
        table.add_column(name, justify="right")
    for name, row in zip(CLASSES, counts, strict=True):
        table.add_row(name, *map(str, row))
    return table


def score(data: Labelled, results: Results, weights: Weights = WEIGHTS) -> dict[str, float]:
    """Prints the figures of `results/<slide>/peakmap/` against `data/<slide>.geojson`; returns the accuracies.

    The baselines class the same slides with the same extractor, drawn again from their truth files' headers. Raises
    ValueError where there is no result, or no truth of one.
    """
    paths = sorted(results.glob("*/peakmap/result.json"))
    if not paths:
        raise ValueError(
            f"no */peakmap/result.json in {results}: run `histoserve analyze --pipeline peakmap -o {results}`"
        )
    classes_of = baselines_from_weights(weights_from_file(weights))
    answers = []
    for path in track(paths, "drawing the slides for the baselines", transient=True):
        truth_path = data / f"{path.parents[1].name}.geojson"
        if not truth_path.is_file():
            raise ValueError(
                f"{path.parents[1]} has no truth: wanted {truth_path}, as `histoserve phantom --truth` writes it"
            )
        truth, lesions, header = read_truth(truth_path)
        answers.append(Answer(truth, lesions, {"peakmap": class_from_result(path)} | classes_of(header)))
    console = Console()
    for method in answers[0].found:
        console.print(table_of_confusion(answers, method))
    console.print(table_of_accuracies(answers))
    return accuracies(answers)
