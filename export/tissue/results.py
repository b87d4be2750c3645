"""What `histoserve analyze --pipeline tissue` wrote of a slide, as far as it is scored."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIPELINE = "tissue"


@dataclass(frozen=True)
class Result:
    """Of one slide."""

    slide_class: str | None
    """None for a slide of which no tile was analysed."""
    abnormal: NDArray[np.float32]
    """(rows, columns): 1 − P(normal) of each tile, NaN where none was analysed."""
    l0_first: tuple[float, ...]
    """The tile of row 0, column 0: x, y, width, height."""
    k: int
    """So many tiles decided."""
    threshold: float
    """A tile or slide is abnormal from here on."""
    content: dict[str, Any]
    """Of `result.json`."""

    @property
    def slide_name(self) -> str:
        """Of the slide's file."""
        return str(self.content["slide"]["name"])

    @property
    def likeliest_lesion(self) -> str | None:
        """Of the tiles that decided, also if they are not enough for one; None for a slide without a tile."""
        probability = self.content["result"]["probability"]
        return max(list(probability)[1:], key=probability.__getitem__) if probability else None

    @property
    def served(self) -> NDArray[np.bool_]:
        """(rows, columns): tiles that were analysed."""
        return np.isfinite(self.abnormal)

    @property
    def regions(self) -> NDArray[np.float32]:
        """(N, 4) of the tiles that were analysed, by row, then column."""
        row, column = np.nonzero(self.served)
        x, y, width, height = self.l0_first
        sides = np.full((2, len(row)), [[width], [height]])
        return np.column_stack([x + column * width, y + row * height, *sides]).astype(np.float32)


def result_folders(results: Path) -> dict[str, Path]:
    """By slide; ValueError where there is none."""
    found = {path.parents[1].name: path.parent for path in sorted(results.glob(f"*/{PIPELINE}/result.json"))}
    if not found:
        raise ValueError(
            f"no */{PIPELINE}/result.json in {results}: run `histoserve analyze --pipeline {PIPELINE} -o {results}`"
        )
    return found


def read_result(folder: Path) -> Result:
    """ValueError for what is no result of this pipeline."""
    try:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        layers = json.loads((folder / "layers.json").read_text(encoding="utf-8"))["layers"]
        parameters = content["pipeline"]["parameters"]
        grid = next((layer for layer in layers if layer["kind"] == "grid"), {"values": [], "first": (0, 0, 1, 1)})
        values = np.array(grid["values"], np.float32)
        return Result(
            slide_class=content["result"]["class"],
            abnormal=values if values.ndim == 2 else np.empty((0, 0), np.float32),
            l0_first=tuple(float(each) for each in grid["first"]),
            k=int(parameters["k"]),
            threshold=float(parameters["threshold"]),
            content=content,
        )
    except (OSError, LookupError, TypeError, ValueError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{folder} holds no result of {PIPELINE}: {reason}") from error
