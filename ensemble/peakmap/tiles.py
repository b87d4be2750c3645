"""The rows of tiles: each once, and which of them are a type's peaks.

A row is a tile: its `REGION` (x, y, width, height in level-0 px), its `SCORE` for each type of lesion cell (0-1), its
`FEATURE_MAP`. A tile *has* a type if its score reaches the threshold; the *peaks* of a type are the K tiles of highest
score among those that have it (CN115601749B [0059-0065]), equal scores by position: by y, then x, then width, then
height. Which they are depends neither on the order of the rows nor on rows that came twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.regions import checked_regions


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
