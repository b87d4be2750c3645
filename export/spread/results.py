"""What `histoserve analyze --pipeline spread` wrote of a slide, as far as it is scored."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIPELINE = "spread"
RULES = ("lesion", "reached", "least_one_sided")
"""Parameters of the stage `spread_slide`."""


@dataclass(frozen=True)
class Result:
    """Of one slide."""

    direction: NDArray[np.float64] | None
    """(2,): x to the right and y down; None for none."""
    farthest_um: float
    mm2: tuple[float, float]
    """At or above the parameters lesion and reached."""
    value: NDArray[np.float32]
    """(rows, columns), NaN where no region was analysed; without any region (0, 0)."""
    l0_first: tuple[float, ...]
    """The region of row 0, column 0: x, y, width, height."""
    rules: dict[str, float]
    """`RULES`, as they were served."""
    content: dict[str, Any]
    """Of `result.json`."""

    @property
    def slide_name(self) -> str:
        """Of the slide's file."""
        return str(self.content["slide"]["name"])

    @property
    def served(self) -> NDArray[np.bool_]:
        """(rows, columns): regions that were analysed."""
        return np.isfinite(self.value)

    @property
    def regions(self) -> NDArray[np.float32]:
        """(N, 4) of the regions that were analysed, by row, then column."""
        return regions_at(self.served, self.l0_first)


def regions_at(mask: NDArray[np.bool_], l0_first: tuple[float, ...]) -> NDArray[np.float32]:
    """(N, 4): x, y, width, height of the raster's regions in `mask`, by row, then column."""
    row, column = np.nonzero(mask)
    x, y, width, height = l0_first
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
    """ValueError for what is no result of this pipeline, or of a picture without a resolution."""
    try:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        layers = json.loads((folder / "layers.json").read_text(encoding="utf-8"))["layers"]
        grids = (layer for layer in layers if layer["kind"] == "grid" and layer["title"] == "value")
        grid: dict[str, Any] = next(grids, {"values": np.empty((0, 0)), "first": (0, 0, 1, 1)})
        result, parameters = content["result"], content["pipeline"]["parameters"]
        extent, direction = result["extent"], result["main_direction"]
        if extent["farthest_um"] is None:
            raise ValueError("its picture has no µm per pixel, and phantoms have")
        return Result(
            direction=None if direction is None else np.array(direction, np.float64),
            farthest_um=float(extent["farthest_um"]),
            mm2=(float(extent["mm2_lesion"]), float(extent["mm2_reached"])),
            value=np.array(grid["values"], np.float32),
            l0_first=tuple(float(each) for each in grid["first"]),
            rules={name: float(parameters[name]) for name in RULES},
            content=content,
        )
    except (OSError, LookupError, TypeError, ValueError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{folder} holds no result of {PIPELINE}: {reason}") from error
