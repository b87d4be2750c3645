"""Stage `spread_slide`: heat map, direction and extent of spread (CN113838558A [0086-0087])."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.raster import parts_of, raster_of
from histoserve.ensemble.spread.slope import falls

UM_PER_MM = 1000


def spread_slide(
    value: NDArray[np.float32],
    tile_region: NDArray[np.float32],
    mpp: NDArray[np.float32],
    network: NDArray[np.int32],
    *,
    lesion: Share,
    reached: Annotated[float, Range(0, "lesion")],
    least_one_sided: Share,
) -> dict[str, NDArray]:
    """What the regions' values say of the slide.

    `value` (N,): share of lesion cells of each region `tile_region` (N, 4) in level-0 px; `mpp` (1,): µm per level-0
    px, NaN where unknown; `network` (W, 1) of any number of the slide's windows.
    The *primary* is the largest 8-connected part at or above `lesion`, equal ones by position. What lies outside it at
    or above `reached` was reached; below, a value may as well be the network's noise.
    Returns `HEATMAP` float32 (rows, columns), row by row, NaN where no region is; `DIRECTION` float32 (rows, columns,
    2) as `falls`; `PRIMARY` bool (rows, columns); `MAIN_DIRECTION` float32 (2,): level-0 px from the primary's centre
    to the value-weighted centre of what was reached, NaN if there is none of either, or if what was reached lies around
    the primary and on no side (its directions, weighted by value, have a mean shorter than `least_one_sided`);
    `EXTENT` float32 (3,): mm² at or above `lesion` and at or above `reached`, µm from the primary's centre to the
    centre of the farthest region at or above `reached` (0 without a primary); NaN where `mpp` is.
    Raises ValueError as `raster_of` does, for values outside 0-1, an `mpp` that is none, and regions of two networks.
    """
    _check(value, mpp, len(tile_region))
    check_one_network(network, len(tile_region))
    raster = raster_of(tile_region)
    heatmap = raster.filled(value, np.nan)
    values = np.nan_to_num(heatmap, nan=-1)
    at_lesion, at_reached = values >= np.float32(lesion), values >= np.float32(reached)
    primary = _largest(parts_of(at_lesion))
    rows, columns = np.indices(heatmap.shape)
    offsets = np.stack((columns, rows), -1) * raster.l0_first[2:]
    centre = offsets[primary].mean(axis=0) if primary.any() else np.full(2, np.nan)
    away = offsets - centre
    outside = at_reached & ~primary
    um, area = float(mpp[0]), float(raster.l0_first[2:].prod())
    farthest = np.hypot(*away[at_reached].T).max(initial=0) if primary.any() else 0.0
    mm2 = area * (um / UM_PER_MM) ** 2
    return {
        "HEATMAP": heatmap,
        "DIRECTION": falls(heatmap),
        "PRIMARY": primary,
        "MAIN_DIRECTION": _main(away[outside], heatmap[outside], least_one_sided),
        "EXTENT": np.array([at_lesion.sum() * mm2, at_reached.sum() * mm2, farthest * um], np.float32),
    }


def _largest(part: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Its squares; none where there is no part."""
    counts = np.bincount(part[part >= 0])
    return part == counts.argmax() if len(counts) else np.zeros(part.shape, bool)


def _main(away: NDArray[np.float64], value: NDArray[np.float32], least_one_sided: float) -> NDArray[np.float32]:
    """(regions, 2) from the primary's centre, and their values → the way to their common centre, or NaN."""
    weight = value.astype(np.float64)
    distance = np.hypot(*away.T)
    # Of a ring-shaped primary a region may lie at the very centre.
    aside = distance > 0
    if not weight[aside].sum() > 0:
        return np.full(2, np.nan, np.float32)
    towards = away[aside] / distance[aside, None]
    one_sided = np.hypot(*np.average(towards, axis=0, weights=weight[aside]))
    if one_sided < least_one_sided:
        return np.full(2, np.nan, np.float32)
    return np.average(away, axis=0, weights=weight).astype(np.float32)


def _check(value: NDArray[np.float32], mpp: NDArray[np.float32], count: int) -> None:
    if value.shape != (count,):
        raise ValueError(f"VALUE is {list(value.shape)}, wanted [{count}]: one of each row of TILE_REGION")
    # Written so that NaN is bad.
    bad = ~((value >= 0) & (value <= 1))
    if bad.any():
        raise ValueError(f"VALUE {int(bad.argmax())} is {value[bad][0]}; wanted a share from 0 to 1")
    if mpp.shape != (1,) or mpp[0] <= 0 or np.isinf(mpp[0]):
        raise ValueError(f"MPP is {mpp.tolist()}, wanted one number above 0, µm per level-0 px, or NaN if unknown")
