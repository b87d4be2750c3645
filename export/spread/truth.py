"""What spreads on a phantom slide and where to, by its truth file."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.export.shares import shares_on
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
    size: tuple[int, int]
    """Width and height, level-0 px."""
    cells: Cells

    def shares(self, l0_first: tuple[float, ...], shape: tuple[int, int]) -> NDArray[np.float64]:
        """Lesion cells ÷ all cells of each region of a raster, (rows, columns); NaN where there is no cell."""
        return shares_on(self.cells, l0_first, shape)

    def all_shares(self, l0_first: tuple[float, ...]) -> tuple[NDArray[np.float64], tuple[float, ...]]:
        """The same of the whole slide, on the raster that `l0_first` is of, and the region that this begins with."""
        sides, place = np.array(l0_first[2:]), np.array(l0_first[:2])
        before = np.ceil(place / sides)
        first = place - before * sides
        columns, rows = np.ceil((np.array(self.size) - first) / sides).astype(int).tolist()
        whole = (*first.tolist(), *l0_first[2:])
        return shares_on(self.cells, whole, (rows, columns)), whole


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
        width, height = header["size"]
        return Truth(header["pattern"], direction, header["stains"], float(header["mpp"]), (width, height), cells)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the truth that was wanted: {error}") from error
