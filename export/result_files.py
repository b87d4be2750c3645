"""What `histoserve analyze` wrote of slides, as scores of any pipeline read it: results by slide, grids of regions."""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Result = TypeVar("Result")


class Raster(NamedTuple):
    """A grid's values and where they lie."""

    values: NDArray[np.float32]
    """(rows, columns), NaN where no region was analysed; without any region (0, 0)."""
    l0_first: tuple[float, ...]
    """The region of row 0, column 0: x, y, width, height."""


def result_folders(results: Path, pipeline: str) -> dict[str, Path]:
    """The folder of the pipeline's result, by slide; ValueError where there is none."""
    found = {path.parents[1].name: path.parent for path in sorted(results.glob(f"*/{pipeline}/result.json"))}
    if not found:
        raise ValueError(
            f"no */{pipeline}/result.json in {results}: run `histoserve analyze --pipeline {pipeline} -o {results}`"
        )
    return found


def read_files(
    folder: Path, pipeline: str, made_of: Callable[[dict[str, Any], list[dict[str, Any]]], Result]
) -> Result:
    """What `made_of` makes of `result.json` and the layers; ValueError for what is no result of this pipeline."""
    try:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        layers = json.loads((folder / "layers.json").read_text(encoding="utf-8"))["layers"]
        return made_of(content, layers)
    except (OSError, LookupError, TypeError, ValueError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{folder} holds no result of {pipeline}: {reason}") from error


def raster_of(layers: Sequence[dict[str, Any]], title: str | None = None) -> Raster:
    """The first grid, or the one of this title."""
    grids = (layer for layer in layers if layer["kind"] == "grid" and (title is None or layer["title"] == title))
    grid: dict[str, Any] = next(grids, {"values": [], "first": (0, 0, 1, 1)})
    values = np.array(grid["values"], np.float32)
    return Raster(values if values.ndim == 2 else np.empty((0, 0), np.float32), tuple(map(float, grid["first"])))


def regions_at(mask: NDArray[np.bool_], l0_first: tuple[float, ...]) -> NDArray[np.float32]:
    """(N, 4): x, y, width, height of a raster's regions in `mask`, by row, then column."""
    row, column = np.nonzero(mask)
    x, y, width, height = l0_first
    sides = np.full((2, len(row)), [[width], [height]])
    return np.column_stack([x + column * width, y + row * height, *sides]).astype(np.float32)


def named_results(others: Sequence[str] | None, taken: Collection[str]) -> dict[str, Path]:
    """`--other NAME=RESULTS`, as often as it was given; ValueError for another form, or a name that is `taken`."""
    found = {}
    for text in others or ():
        name, _, folder = text.partition("=")
        if not name or not folder or name in taken:
            raise ValueError(f"--other {text!r}: wanted NAME=RESULTS, as in random=out/random")
        found[name] = Path(folder)
    return found
