"""Stages `peakmap_filter` and `peakmap_select`: of all tiles, the K best of each type of lesion cell.

    rows of a request ─▶ peakmap_filter ─▶ fewer rows ┐
    rows of a request ─▶ peakmap_filter ─▶ fewer rows ┴▶ one behind the other, in any order ─▶ peakmap_select ─▶ peaks

A row is a tile: its `REGION` (x, y, width, height in level-0 px), its `SCORE` for each type (0-1), its `FEATURE_MAP`;
for display also `BOX`, where a detector saw what in it. Beside the rows goes `NETWORK` of every tile looked at. A tile
*has* a type if its score reaches the threshold; the *peaks* of a type are the K tiles of highest score among those that
have it (CN115601749B [0059-0065]), equal scores by position: by y, then x, then width, then height. Which they are
depends neither on the order of the rows, nor on rows that came twice, nor on how often they were filtered:
`filter(filter(A) + filter(B)) == filter(A + B)`.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network, mixed
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.regions import checked_regions

MOST_MAP_VALUES = 2**28
FARTHEST_BOX = 2**16
"""In tiles: within it level-0 pixels stay finite in float32."""


@dataclass(frozen=True)
class Tiles:
    """Distinct tiles by position."""

    region: NDArray[np.float32]
    """(U, 4)."""
    score: NDArray[np.float32]
    """(U, types)."""
    row: NDArray[np.intp]
    """(U,), where each stands in the request."""

    def best(self, type_number: int, k: int, threshold: float) -> NDArray[np.intp]:
        """At most `k` of the tiles that have the type, from the highest score to the lowest."""
        score = self.score[:, type_number]
        having = np.flatnonzero(score >= np.float32(threshold))
        # Stable: equal scores stay in the order of their positions.
        return having[np.argsort(-score[having], kind="stable")[:k]]


def peakmap_filter(
    score: NDArray[np.float32],
    feature_map: NDArray[np.float16],
    region: NDArray[np.float32],
    network: NDArray[np.int32],
    decoder: NDArray[np.int32],
    box: NDArray[np.float32],
    floor: NDArray[np.float32],
    *,
    identity: int,
    k: Annotated[int, Range(1, 4096)],
    threshold: Share,
) -> dict[str, NDArray]:
    """The rows that can still be peaks of their slide, by position, each once.

    `score` (N, types), `feature_map` (N, c, h, w), `region` (N, 4), `network` and `decoder` (N, 1) what
    made them, `identity` this stage, `box` (N, boxes, 4 + types): x,
    y, width and height in parts of the tile and a score for each type, 0 for none. A score under its type's `floor`
    (types,) cannot matter any more, since K tiles with a score as high as the floor are known; −1 for none.
    Returns `REGION`, `SCORE`, `FEATURE_MAP` and `BOX`, its boxes in level-0 px, of the U ≤ N rows, and `NETWORK` of all
    N, so that a change of networks shows where no tile has a type. Raises ValueError as `distinct` does, for boxes of
    another shape or out of range, for a floor of another length or one that is no number, and for a kept feature map
    that is not finite.
    """
    tiles = distinct(region, score, feature_map, k)
    types = score.shape[1]
    if box.ndim != 3 or (len(box), box.shape[2]) != (len(region), 4 + types):
        wanted = f"[{len(region)}, boxes, 4 + {types}]"
        raise ValueError(f"BOX is {list(box.shape)}, wanted {wanted}: x, y, width, height and a score for each type")
    # A detector's boxes may reach out of their tile, not far from it; written so that NaN is bad.
    bad = ~(np.abs(box) <= FARTHEST_BOX).all(axis=(1, 2))
    if bad.any():
        raise ValueError(
            f"BOX {int(bad.argmax())} is not finite, or beyond {FARTHEST_BOX} tiles: wanted parts of a tile"
        )
    if floor.shape != (types,):
        raise ValueError(f"FLOOR is {list(floor.shape)}, wanted [{types}]: one score for each type, −1 for none")
    if not np.isfinite(floor).all():
        raise ValueError(f"FLOOR is {floor.tolist()}; wanted a finite score for each type, −1 for none")
    kept = np.zeros(len(tiles.row), bool)
    for t in range(types):
        best = tiles.best(t, k, threshold)
        kept[best[tiles.score[best, t] >= floor[t]]] = True
    row = tiles.row[kept]
    return {
        "REGION": tiles.region[kept],
        "SCORE": tiles.score[kept],
        "FEATURE_MAP": finite_maps(feature_map, row),
        "NETWORK": mixed({"NETWORK": network, "DECODER": decoder}, len(region), identity),
        "BOX": l0_boxes(box[row], tiles.region[kept]),
    }


def l0_boxes(box: NDArray[np.float32], region: NDArray[np.float32]) -> NDArray[np.float32]:
    """`box` (U, boxes, 4 + types), from parts of the tiles `region` (U, 4) to level-0 px; empty ones stay 0."""
    corner, size = region[:, None, :2].astype(np.float64), region[:, None, 2:].astype(np.float64)
    placed = np.concatenate((corner + box[:, :, :2] * size, box[:, :, 2:4] * size), axis=2).astype(np.float32)
    there = (box[:, :, 4:] > 0).any(axis=2, keepdims=True)
    return np.concatenate((np.where(there, placed, 0), box[:, :, 4:]), axis=2)


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


def distinct(
    region: NDArray[np.float32],
    score: NDArray[np.float32],
    feature_map: NDArray[np.float16],
    k: int,
) -> Tiles:
    """Each tile once.

    Raises ValueError for tensors of unequal lengths or wrong ranks, regions that are none, scores outside 0-1 or not a
    number, and a region that came twice with different contents.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}: correct the model's config")
    count = len(region)
    check_shape("SCORE", score, count, "types")
    check_shape("FEATURE_MAP", feature_map, count, "channels, height, width")
    checked_regions("REGION", region, count)
    check_scores(region, score)
    # Adding zero makes −0.0 and 0.0 the same bits too.
    x, y, width, height = region.T + np.float32(0)
    order = np.lexsort((height, width, x, y))
    placed = np.column_stack((x, y, width, height))[order]
    again = np.zeros(count, bool)
    again[1:] = (placed[1:] == placed[:-1]).all(axis=1)
    check_repetition(region, score, feature_map, order[:-1][again[1:]], order[again])
    return Tiles(placed[~again], score[order[~again]], order[~again])


def check_shape(name: str, tensor: NDArray, count: int, axes: str) -> None:
    wanted = f"[{count}, {axes}]"
    if tensor.ndim != 2 + axes.count(",") or len(tensor) != count:
        raise ValueError(f"{name} is {list(tensor.shape)}, wanted {wanted}: one for each row of REGION")


def check_scores(region: NDArray[np.float32], score: NDArray[np.float32]) -> None:
    # Written so that NaN is bad.
    bad = ~((score >= 0) & (score <= 1)).all(axis=1)
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(
            f"SCORE {index}, of the region {region[index].tolist()}, is {score[index].tolist()}; wanted a number from 0"
            " to 1 for each type"
        )


def check_repetition(
    region: NDArray[np.float32],
    score: NDArray[np.float32],
    feature_map: NDArray[np.float16],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
) -> None:
    """`first` and `second` are rows of the same regions; ValueError unless they agree to the last bit."""
    score_differs = (score[first].view(np.uint32) != score[second].view(np.uint32)).any(axis=1)
    map_differs = (feature_map[first].view(np.uint16) != feature_map[second].view(np.uint16)).any(axis=(1, 2, 3))
    differs = score_differs | map_differs
    if differs.any():
        index = int(differs.argmax())
        one, other = sorted((int(first[index]), int(second[index])))
        what = "SCORE" if score_differs[index] else "FEATURE_MAP"
        raise ValueError(
            f"rows {one} and {other} are both of the region {region[one].tolist()} and differ in {what}: deliveries"
            " that contradict each other, of two networks or two slides, are mixed; send the slide's tiles again"
        )


def finite_maps(feature_map: NDArray[np.float16], row: NDArray[np.intp]) -> NDArray[np.float16]:
    """These rows' feature maps; ValueError if one is not finite."""
    maps = feature_map[row]
    # All bits of the exponent set: infinite or NaN; NumPy's own test converts each half to a float.
    bad = ((maps.view(np.uint16) & 0x7C00) == 0x7C00).any(axis=(1, 2, 3))
    if bad.any():
        raise ValueError(f"FEATURE_MAP {int(row[bad.argmax()])} is not finite: the extractor's last layer exceeds FP16")
    return maps
