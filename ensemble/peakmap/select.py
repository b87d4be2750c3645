"""Stage `peakmap_select`: of all rows of a slide, the K best of each type of lesion cell (CN115601749B [0059-0074])."""

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.peakmap.tiles import distinct, finite_maps

MOST_MAP_VALUES = 2**28


def peakmap_select(
    region: NDArray[np.float32],
    score: NDArray[np.float32],
    feature_map: NDArray[np.float16],
    network: NDArray[np.int32],
    *,
    k: Annotated[int, Range(1, 4096)],
    threshold: Share,
    max_map_values: Annotated[int, Range(1, MOST_MAP_VALUES)] = MOST_MAP_VALUES,
) -> dict[str, NDArray]:
    """The peaks of a slide, from its rows (CN115601749B [0059-0074]).

    Arguments as those of `peakmap_filter`, but `network` (W, 1) is that of any number of the slide's tiles.
    Returns, each type's peaks from the highest score to the lowest, `PEAK_REGION` float32 (types, K, 4), 0 where there
    is none; `PEAK_SCORE` float32 (types, K), −1 where there is none; `PEAK_MAP` float16 (P, c, h, w): the all-zero map,
    then that of each tile that is a peak of any type, by position; `PEAK_INDEX` int32 (types, K): rows of `PEAK_MAP`,
    −1 where there is none, but a type without any tile has the all-zero map. Raises ValueError as `distinct` does, for
    tiles of two networks, and for a peak's feature map that is not finite.
    """
    check_one_network(network, len(region))
    tiles = distinct(region, score, feature_map, k)
    types = score.shape[1]
    if math.prod(feature_map.shape[1:]) > max_map_values:
        raise ValueError(
            f"FEATURE_MAP is {list(feature_map.shape)}; wanted at most {max_map_values} numbers in one row's map"
        )
    peak = np.full((types, k), -1, np.intp)
    peak_region, peak_score = np.zeros((types, k, 4), np.float32), np.full((types, k), -1, np.float32)
    for t in range(types):
        best = tiles.best(t, k, threshold)
        peak[t, : len(best)] = best
        peak_region[t, : len(best)] = tiles.region[best]
        peak_score[t, : len(best)] = tiles.score[best, t]
    used = np.unique(peak[peak >= 0])
    index = np.where(peak >= 0, np.searchsorted(used, peak) + 1, -1).astype(np.int32)
    index[peak[:, 0] < 0, 0] = 0
    zero = np.zeros((1, *feature_map.shape[1:]), np.float16)
    return {
        "PEAK_REGION": peak_region,
        "PEAK_SCORE": peak_score,
        "PEAK_MAP": np.concatenate((zero, finite_maps(feature_map, tiles.row[used]))),
        "PEAK_INDEX": index,
    }
