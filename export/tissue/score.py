"""Scores served slide classes and regions: what `histoserve analyze` wrote of phantom slides, against their truth."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from histoserve.export.tissue.classes import CLASSES
from histoserve.phantom.lesion.share import cells_of
from histoserve.phantom.lesion.tiles import ABNORMAL, UNCLEAR

THRESHOLD = 0.5
"""Of a slide by the mean of all its tiles, the baseline; that of the served ones is in their config."""
SHARE_BINS = ((0.0, 0.0), (0.01, 0.05), (0.05, 0.15), (0.15, 0.4))
"""Least and most part of the tissue that is lesion, of each line."""


@dataclass(frozen=True)
class Answer:
    """One slide: what it is, and what it was taken for."""

    truth: str
    share_of_tissue: float
    stains: str
    found: str | None
    by_mean: str | None
    """By the mean of all tiles, instead of the most abnormal ones: "normal" or "abnormal"."""
    abnormal: NDArray[np.float32]
    """(tiles,), as served."""
    lesion: NDArray[np.float64]
    """(tiles,), true share of lesion cells; those of neither class are left out of both."""

    @property
    def is_lesion(self) -> NDArray[np.bool_]:
        """(tiles,)."""
        return self.lesion >= ABNORMAL


def answer_of(result: Path, truth: Path) -> Answer:
    """Of a result's folder and the truth of its slide; ValueError for what is none."""
    header = json.loads(truth.read_text())["phantom"]
    if header["kind"] != "lesion":
        raise ValueError(f"{truth} is the truth of a {header['kind']} phantom, wanted one of --kind lesion")
    layers = json.loads((result / "layers.json").read_text())["layers"]
    # There is none of a slide of which nothing was analysed.
    empty: dict[str, Any] = {"values": [[]], "first": (0, 0, 1, 1)}
    grid = next((layer for layer in layers if layer["kind"] == "grid"), empty)
    values = np.array(grid["values"], np.float32)
    shares = _shares(truth, grid["first"], values.shape)
    served = np.isfinite(values)
    counted = served & ((shares >= ABNORMAL) | (shares < UNCLEAR))
    mean = float(values[served].mean()) if served.any() else None
    found = json.loads((result / "result.json").read_text())["result"]["class"]
    return Answer(
        truth=header["class"],
        share_of_tissue=header["share_of_tissue"],
        stains=header["stains"],
        found=found,
        by_mean=None if mean is None else CLASSES[0] if mean < THRESHOLD else "abnormal",
        abnormal=values[counted],
        lesion=shares[counted],
    )


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    """Over all tiles of all slides together; NaN where there is nothing to measure."""
    abnormal = np.concatenate([each.abnormal for each in answers]) >= THRESHOLD
    lesion = np.concatenate([each.is_lesion for each in answers])
    union = (abnormal | lesion).sum()
    parts = [(abnormal[lesion == each] == each).mean() if (lesion == each).any() else np.nan for each in (True, False)]
    return {
        "slides rightly classed": float(np.mean([each.found == each.truth for each in answers])),
        "normal or not": float(np.mean([(each.found == CLASSES[0]) == (each.truth == CLASSES[0]) for each in answers])),
        "the same by the mean of all tiles": float(
            np.mean([(each.by_mean == CLASSES[0]) == (each.truth == CLASSES[0]) for each in answers])
        ),
        "balanced tile accuracy": float(np.nanmean(parts)),
        "IoU of abnormal tiles": float((abnormal & lesion).sum() / union) if union else float("nan"),
    }


def groups(answers: Sequence[Answer]) -> list[tuple[str, list[Answer]]]:
    """All, by stains, by class, by how much of the tissue is lesion."""
    found: list[tuple[str, list[Answer]]] = [("all slides", list(answers))]

    def add(name: str, chosen: Callable[[Answer], bool]) -> None:
        own = [each for each in answers if chosen(each)]
        if own:
            found.append((name, own))

    for stains in sorted({each.stains for each in answers}):
        add(f"stains: {stains}", lambda each, stains=stains: each.stains == stains)  # type: ignore[misc]
    for name in CLASSES:
        add(f"class: {name}", lambda each, name=name: each.truth == name)  # type: ignore[misc]
    for low, high in SHARE_BINS[1:]:
        name = f"lesion: {low:.0%} to {high:.0%} of the tissue"
        add(name, lambda each, low=low, high=high: low <= each.share_of_tissue < high)  # type: ignore[misc]
    return found


def score(data: Path, results: Path) -> dict[str, float]:
    """Prints the figures of `results/<slide>/tissue/` against `data/<slide>.geojson`; returns those of all slides.

    Raises ValueError where there is no result, or no truth of one.
    """
    folders = sorted(path.parent for path in results.glob("*/tissue/result.json"))
    if not folders:
        raise ValueError(
            f"no */tissue/result.json in {results}: run `histoserve analyze --pipeline tissue -o {results}`"
        )
    answers = []
    for folder in folders:
        truth = data / f"{folder.parent.name}.geojson"
        if not truth.is_file():
            raise ValueError(f"{folder} has no truth: wanted {truth}, as `histoserve phantom --truth` writes it")
        answers.append(answer_of(folder, truth))
    table = Table(title="tissue, as served")
    for column in ("", "slides", *figures(answers)):
        table.add_column(column, justify="right" if column else "left", no_wrap=not column)
    for name, group in groups(answers):
        table.add_row(name, str(len(group)), *(f"{figure:.3f}" for figure in figures(group).values()))
    Console(width=140).print(table)
    return figures(answers)


def _shares(truth: Path, first: Sequence[float], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """True share of lesion cells of each region of a raster that begins with `first`; NaN where there is no cell."""
    cells = cells_of(truth)
    x, y, width, height = first
    rows, columns = shape
    place = ((cells.centroids - (x, y)) // (width, height)).astype(np.int64)
    inside = ((place >= 0) & (place < (columns, rows))).all(axis=1)
    at = place[inside, 1] * columns + place[inside, 0]
    number = np.bincount(at, minlength=rows * columns)
    lesion = np.bincount(at, cells.is_lesion[inside], rows * columns)
    share = np.full(rows * columns, np.nan)
    np.divide(lesion, number, out=share, where=number > 0)
    return share.reshape(rows, columns)
