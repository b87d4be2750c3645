"""What spreads on a phantom slide and where to, by its truth file."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.phantom.lesion.share import Cells, cells_in


@dataclass(frozen=True)
class Truth:
    """Of one slide of kind "spread"."""

    pattern: str
    """directed, even or none."""
    direction: NDArray[np.float64] | None
    """(2,): the planted one, x to the right and y down, of length 1; None where the spread has none."""
    stains: str
    """The range that its dyes were drawn from."""
    mpp: float
    cells: Cells


def read_truth(path: Path) -> Truth:
    """ValueError for what is no truth of a phantom of kind "spread"."""
    if not path.is_file():
        raise ValueError(f"no truth at {path}, where `histoserve phantom --kind spread --truth` should have written it")
    try:
        # 50 MB of outlines a slide: read once.
        content = json.loads(path.read_text(encoding="utf-8"))
        header = content["phantom"]
        if header["kind"] != "spread":
            raise ValueError(f"it is of a {header['kind']} phantom, wanted one of --kind spread")
        direction = None if header["direction"] is None else np.array(header["direction"], np.float64)
        cells = cells_in(content["features"])
        return Truth(header["pattern"], direction, header["stains"], float(header["mpp"]), cells)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the truth that was wanted: {error}") from error
