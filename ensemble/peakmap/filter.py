"""Stage `peakmap_filter`: of a request's tiles, those that can still be peaks of their slide.

    rows of a request ─▶ peakmap_filter ─▶ fewer rows ┐
    rows of a request ─▶ peakmap_filter ─▶ fewer rows ┴▶ one behind the other, in any order ─▶ peakmap_select ─▶ peaks

Which tiles are peaks does not depend on how often they were filtered: `filter(filter(A) + filter(B)) == filter(A + B)`.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import mixed
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.peakmap.tiles import distinct, finite_maps

FARTHEST_BOX = 2**16
"""In tiles: within it level-0 pixels stay finite in float32."""


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
