"""Stage `ihc_slide`: the cells of a stained slide → which count, and the reading that they make.

rows ─seams─▶ each cell once ─▶ lesion region ─▶ tumour cells in it, positive and negative ─▶ reading

In the document's order (CN114387243A [0126-0131]): the region first, then the tumour cells in it, then their shares.
"""

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.ihc.cells import check_types, is_positive, is_tumour
from histoserve.ensemble.ihc.region import RegionRule, lesion_region
from histoserve.ensemble.nuclei.seams import seams
from histoserve.ensemble.parameters import Range, Share


def read(
    centroid: NDArray[np.float32],
    box: NDArray[np.float32],
    type: NDArray[np.uint8],
    type_probability: NDArray[np.float32],
    area: NDArray[np.float32],
    shape: NDArray[np.uint8],
    tile_index: NDArray[np.int32],
    core: NDArray[np.float32],
    network: NDArray[np.int32],
    mpp: NDArray[np.float32],
    *,
    same_share: Share,
    square_um: Annotated[float, Range(1, 1000)],
    around: Annotated[int, Range(0, 64)],
    least_cells: Annotated[int, Range(1, 10_000)],
    least_share: Share,
) -> dict[str, NDArray[np.generic]]:
    """All rows of a slide, as `seams` takes them, and its µm per level-0 px, `mpp` (1,).

    Returns `KEEP` bool (M,), one of each cell; `COUNTED` bool (M,), those of the kept that are tumour cells in the
    region; `COUNT` int32 (2,), positive and negative ones of these; `READING` float32 (1,), positive ÷ both, NaN for
    none; `REGION` float32 (S, 4), the region's squares, x, y, width, height in level-0 px. A region that holds fewer
    tumour cells than `least_cells` is none. Raises ValueError as `seams`, and for a type or an `mpp` that is none.
    """
    check_types(type)
    if mpp.shape != (1,) or not 0 < mpp[0] < math.inf:
        raise ValueError(f"MPP is {mpp.tolist()}, wanted one number above 0: µm per level-0 pixel of the slide")
    rows = (centroid, box, type, type_probability, area, shape, tile_index, core, network)
    keep = seams(*rows, same_share=same_share)["KEEP"]
    rule, side = RegionRule(square_um, around, least_cells, least_share), square_um / float(mpp[0])
    tumour, positive = is_tumour(type), is_positive(type)
    region = lesion_region(centroid[keep], tumour[keep], side, rule)
    held = tumour[keep] & region.holds
    if held.sum() < least_cells:
        # Its squares came about by cells that lie around it.
        region, held = region.emptied(), held & False
    counted = np.zeros(len(keep), np.bool_)
    counted[keep] = held
    count = [int((counted & positive).sum()), int((counted & ~positive).sum())]
    return {
        "KEEP": keep,
        "COUNTED": counted,
        "COUNT": np.array(count, np.int32),
        "READING": np.array([reading(*count)], np.float32),
        "REGION": region.l0_squares(side),
    }


def reading(positive: int, negative: int) -> float:
    """positive ÷ (positive + negative) ([0131]: 10 and 30 give 0.25); NaN, not 0, where there is no tumour cell."""
    return positive / (positive + negative) if positive + negative else math.nan
