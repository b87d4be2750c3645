"""The peaks of a slide while its rows come in, and the floor that they make.

A row is a tile that may be a peak: TILE_REGION, SCORE per type of lesion cell, FEATURE_MAP. A type's peaks
are the K tiles of highest score among those that reach the threshold, equal scores by y, x, width, height. Once there
are K, a tile with a lower score than the last of them cannot matter: that score is the type's floor.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.wire import Outputs

NO_FLOOR = np.float32(-1)
"""Below every score."""


@dataclass(frozen=True)
class Last:
    """The last peak of each type that has K of them."""

    score: NDArray[np.float32]
    """(types,), −1 for a type that has fewer."""
    place: NDArray[np.float32]
    """(types, 4): y, x, width, height."""


class Peaks:
    """The rows of at most K tiles a type; which ones depends neither on their order nor on how often they come."""

    def __init__(self, types: int, k: int, threshold: float):
        self._k = k
        self._threshold = np.float32(threshold)
        # Replaced, never changed, so that other threads may read it at any time.
        self._last = Last(np.full(types, NO_FLOOR), np.zeros((types, 4), np.float32))
        self.rows: Outputs | None = None
        """By position; None until the first rows, even if none of them was a peak."""

    @property
    def floor(self) -> NDArray[np.float32]:
        """(types,); never falls."""
        return self._last.score

    def floor_for(self, regions: NDArray[np.float32]) -> NDArray[np.float32]:
        """The floor for tiles of these regions: above an equal score too, where that is no peak by its position.

        Without that, every tile of a slide whose scores are all 1 would come back.
        """
        last, places = self._last, _places(regions)
        first = tuple(places[np.lexsort(places.T[::-1])[0]].tolist())
        behind = [tuple(place) < first for place in last.place.tolist()]
        higher = np.nextafter(last.score, np.float32(2))
        return np.where((last.score > NO_FLOOR) & behind, higher, last.score)

    def add(self, rows: Outputs) -> None:
        """Raises ValueError for rows that contradict those that are here, and then changes nothing."""
        if self.rows is not None and len(rows["TILE_REGION"]) == 0:
            return
        known = self.rows or {name: array[:0] for name, array in rows.items()}
        rows = _by_position({name: np.concatenate((known[name], array)) for name, array in rows.items()})
        best = [self._best(score) for score in rows["SCORE"].T]
        kept = np.unique(np.concatenate(best))
        # Indexing copies: a view would keep the whole answer of the server in memory.
        self.rows = {name: array[kept] for name, array in rows.items()}
        score, place = np.full(len(best), NO_FLOOR), np.zeros((len(best), 4), np.float32)
        for t, of_type in enumerate(best):
            if len(of_type) == self._k:
                score[t], place[t] = rows["SCORE"][of_type[-1], t], _places(rows["TILE_REGION"][of_type[-1:]])[0]
        self._last = Last(score, place)

    def _best(self, score: NDArray[np.float32]) -> NDArray[np.intp]:
        """Of one type, from the highest score to the lowest; stable, so equal scores stay in order."""
        having = np.flatnonzero(score >= self._threshold)
        return having[np.argsort(-score[having], kind="stable")[: self._k]]


def _places(regions: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 4) as x, y, width, height → y, x, width, height: as equal scores are ordered."""
    return regions[:, [1, 0, 2, 3]]


def _by_position(rows: Outputs) -> Outputs:
    """Each tile once; ValueError if two rows of one tile differ."""
    order = np.lexsort(_places(rows["TILE_REGION"]).T[::-1])
    ordered = {name: array[order] for name, array in rows.items()}
    placed = ordered["TILE_REGION"]
    again = np.flatnonzero((placed[1:] == placed[:-1]).all(axis=1)) + 1
    for name, array in ordered.items():
        # By bits: the result is the same to the last one, or it is an error.
        if array[again].tobytes() != array[again - 1].tobytes():
            raise ValueError(f"two rows with a different {name} for one tile")
    return {name: np.delete(array, again, axis=0) for name, array in ordered.items()}
