"""What `histoserve analyze --pipeline spread` wrote of a slide, as far as it is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.export.result_files import raster_of, read_files, regions_at

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


def read_result(folder: Path) -> Result:
    """ValueError for what is no result of this pipeline, or of a picture without a resolution."""
    return read_files(folder, PIPELINE, _result_of)


def _result_of(content: dict[str, Any], layers: list[dict[str, Any]]) -> Result:
    value, l0_first = raster_of(layers, "value")
    result, parameters = content["result"], content["pipeline"]["parameters"]
    extent, direction = result["extent"], result["main_direction"]
    if extent["farthest_um"] is None:
        raise ValueError("its picture has no µm per pixel, and phantoms have")
    return Result(
        direction=None if direction is None else np.array(direction, np.float64),
        farthest_um=float(extent["farthest_um"]),
        mm2=(float(extent["mm2_lesion"]), float(extent["mm2_reached"])),
        value=value,
        l0_first=l0_first,
        rules={name: float(parameters[name]) for name in RULES},
        content=content,
    )
