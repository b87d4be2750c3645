"""What `histoserve analyze --pipeline tissue` wrote of a slide, as far as it is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.export.result_files import raster_of, read_files, regions_at

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
        return regions_at(self.served, self.l0_first)


def read_result(folder: Path) -> Result:
    """ValueError for what is no result of this pipeline."""
    return read_files(folder, PIPELINE, _result_of)


def _result_of(content: dict[str, Any], layers: list[dict[str, Any]]) -> Result:
    parameters = content["pipeline"]["parameters"]
    abnormal, l0_first = raster_of(layers)
    return Result(
        slide_class=content["result"]["class"],
        abnormal=abnormal,
        l0_first=l0_first,
        k=int(parameters["k"]),
        threshold=float(parameters["threshold"]),
        content=content,
    )
