"""Stage `tissue_slide`: from the classes of a slide's tiles to its own, and to regions (CN113887377A [0085, 0098])."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.raster import parts_of, raster_of
from histoserve.ensemble.tissue.probability import check_probability


def tissue_slide(
    probability: NDArray[np.float32],
    tile_region: NDArray[np.float32],
    network: NDArray[np.int32],
    *,
    k: Annotated[int, Range(1, 4096)],
    threshold: Share,
) -> dict[str, NDArray]:
    """The slide's probabilities, and its abnormal regions.

    `probability` (N, classes) of each tile, the first class normal; `tile_region` (N, 4) in level-0 px; `network`
    (W, 1) of any number of the slide's windows. A tile is abnormal by 1 − P(normal).
    Returns `PROBABILITY` float32 (classes,), the mean of the k most abnormal tiles (of all, if fewer; equal ones by y,
    then x), 0 for a slide without any; `ABNORMAL` bool (N,): at or above `threshold`; `GROUP` int32 (N,): the
    8-connected region of abnormal tiles, 0 for the one with the largest sum of abnormal probabilities, −1 for none.
    Rows that came twice count once. Raises ValueError for tensors that do not fit together, numbers that are no
    probabilities, tiles of two networks, rows that contradict each other, and tiles that lie on no raster.
    """
    check_probability(probability, len(tile_region))
    check_one_network(network, len(tile_region))
    raster = raster_of(tile_region)
    # From here on by position: no result depends on the order of the rows.
    squares = raster.filled(probability, np.nan)
    abnormal: NDArray[np.float32] = np.float32(1) - squares[..., 0]
    with np.errstate(invalid="ignore"):
        above = abnormal >= np.float32(threshold)
    part = _worst_first(parts_of(above), abnormal)
    return {
        "PROBABILITY": _mean_of_most_abnormal(squares, k),
        "ABNORMAL": above[raster.row, raster.column],
        "GROUP": part[raster.row, raster.column],
    }


def _mean_of_most_abnormal(squares: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """(rows, columns, classes) → (classes,)."""
    tiles = squares[np.isfinite(squares[..., 0])]
    if not len(tiles):
        return np.zeros(squares.shape[-1], np.float32)
    # Stable: equal ones stay in the order of their positions.
    deciding = np.argsort(tiles[:, 0], kind="stable")[:k]
    return tiles[deciding].astype(np.float64).mean(axis=0).astype(np.float32)


def _worst_first(part: NDArray[np.int32], abnormal: NDArray[np.float32]) -> NDArray[np.int32]:
    """The parts numbered anew, by their sums of `abnormal`; equal ones by position."""
    inside = part >= 0
    sums = np.bincount(part[inside], abnormal[inside].astype(np.float64))
    rank = np.empty(len(sums), np.int32)
    rank[np.argsort(-sums, kind="stable")] = np.arange(len(sums), dtype=np.int32)
    renumbered = np.full_like(part, -1)
    renumbered[inside] = rank[part[inside]]
    return renumbered
