"""What a phantom slide is, by its truth file."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.export.shares import shares_on
from histoserve.phantom.lesion.share import Cells, cells_in


@dataclass(frozen=True)
class Truth:
    """Of one slide of kind "lesion"."""

    slide_class: str
    share_of_tissue: float
    """Of the tissue that is lesion, 0-1."""
    stains: str
    """The range that its dyes were drawn from."""
    cells: Cells

    def shares(self, l0_first: tuple[float, ...], shape: tuple[int, int]) -> NDArray[np.float64]:
        """Lesion cells ÷ all cells of each region of a raster, (rows, columns); NaN where there is no cell.

        `l0_first` is the region of row 0, column 0: x, y, width, height.
        """
        return shares_on(self.cells, l0_first, shape)


def read_truth(path: Path) -> Truth:
    """ValueError for what is no truth of a phantom of kind "lesion"."""
    if not path.is_file():
        raise ValueError(f"no truth at {path}, where `histoserve phantom --kind lesion --truth` should have written it")
    try:
        # 50 MB of outlines a slide: read once.
        content = json.loads(path.read_text(encoding="utf-8"))
        header = content["phantom"]
        if header["kind"] != "lesion":
            raise ValueError(f"it is of a {header['kind']} phantom, wanted one of --kind lesion")
        return Truth(header["class"], float(header["share_of_tissue"]), header["stains"], cells_in(content["features"]))
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the truth that was wanted: {error}") from error
