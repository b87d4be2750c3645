"""The readings of a slide's tiles, and what `biomarker_slide` makes of them, checked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.wire import Outputs

TOLERANCE = 1e-5
"""Of a mean of float32 readings."""


@dataclass(frozen=True)
class Rule:
    """By the server's configs: which markers are read, from what, and which tiles make the slide's reading."""

    stain: str
    """Of the slide that is read."""
    markers: tuple[str, ...]
    k: int
    mean_of: str
    """"highest", the k highest tiles of each marker, or "all"."""
    least_tumour: float
    """From here on a tile shows tumour, 0-1; below, it has no reading."""

    def used(self, tiles: int) -> int:
        """Of so many tiles that show tumour, how many make a reading."""
        return min(self.k, tiles) if self.mean_of == "highest" else tiles


def rule_of(contract: Contract) -> Rule:
    """Raises ServerError for a pipeline without markers, or a rule that this client does not know."""
    k, least = int(contract.number("k")), contract.number("least_tumour")
    rule = Rule(contract.text("stain"), contract.names("markers"), k, contract.text("mean_of"), least)
    said = f"The server's pipeline {contract.pipeline} says "
    if not all(rule.markers) or len(set(rule.markers)) < len(rule.markers):
        raise ServerError(
            f"{said}markers = {contract.text('markers')!r}; wanted one name or more, each once. Correct its config."
        )
    if rule.mean_of not in ("highest", "all"):
        raise ServerError(
            f"{said}mean_of = {rule.mean_of!r}, this client knows highest and all. Take a client of its version."
        )
    return rule


@dataclass(frozen=True)
class Readings:
    """Of one slide; at least one tile."""

    l0_regions: NDArray[np.float32]
    """(tiles, 4)."""
    tiles: NDArray[np.float32]
    """(tiles, markers); NaN, no reading, where no tumour is seen."""
    slide: NDArray[np.float32]
    """(markers,); NaN where no tile has a reading."""
    top: Sequence[NDArray[np.int32]]
    """Of each marker, its k highest tiles, from the highest."""

    @property
    def with_tumour(self) -> int:
        """Tiles that have a reading."""
        return int(np.isfinite(self.tiles[:, 0]).sum())

    @property
    def l0_first(self) -> tuple[float, float, float, float]:
        """The square in row 0, column 0, which need not be a tile."""
        x, y = self.l0_regions[:, :2].min(axis=0).tolist()
        width, height = self.l0_regions[0, 2:].tolist()
        return x, y, width, height

    def raster(self, marker: int) -> NDArray[np.float32]:
        """(rows, columns), the reading of each tile, NaN where it has none and elsewhere."""
        first = np.array(self.l0_first)
        columns, rows = np.rint((self.l0_regions[:, :2] - first[:2]) / first[2:]).astype(np.int64).T
        values = np.full((rows.max() + 1, columns.max() + 1), np.nan, np.float32)
        values[rows, columns] = self.tiles[:, marker]
        return values

    def number(self, marker: int, rank: int, most: int) -> int | None:
        """Of a highest tile, the same in all files: the first `most` of each marker are counted; None for others."""
        return marker * min(most, len(self.top[0])) + rank + 1 if rank < most else None


def readings_of(
    model: str,
    answer: Outputs,
    regions: NDArray[np.float32],
    tiles: NDArray[np.float32],
    tumour: NDArray[np.float32],
    rule: Rule,
) -> Readings:
    """Raises ServerError for an answer that does not follow from the tiles.

    These are `regions` (N, 4), `tiles` (N, markers) and `tumour` (N, 1).
    """
    markers, shows = len(rule.markers), tumour[:, 0] >= np.float32(rule.least_tumour)
    count = min(rule.k, int(shows.sum()))
    reading, top = answer["READING"], answer["TOP"]
    if reading.dtype != np.float32 or reading.shape != (markers,):
        raise unfit(model, f"READING {reading.dtype} {reading.shape}, wanted one for each of {markers} markers")
    if top.dtype != np.int32 or top.shape != (markers, rule.k):
        raise unfit(model, f"TOP {top.dtype} {top.shape}, wanted {(markers, rule.k)}")
    rows = [each[:count] for each in top]
    for marker, name in enumerate(rule.markers):
        highest = np.sort(tiles[shows, marker])[::-1]
        inside = (rows[marker] >= 0).all() and (rows[marker] < len(tiles)).all() and (top[marker, count:] == -1).all()
        if not inside or len(set(rows[marker].tolist())) < count:
            raise unfit(model, f"a TOP of {name} that does not name {count} of the {len(tiles)} rows, and then −1")
        if not shows[rows[marker]].all() or not np.array_equal(tiles[rows[marker], marker], highest[:count]):
            raise unfit(model, f"a TOP of {name} that does not name the highest rows, from the highest")
        _check_mean(model, name, float(reading[marker]), highest[: rule.used(len(highest))])
    return Readings(regions, np.where(shows[:, None], tiles, np.float32(np.nan)), reading, rows)


def _check_mean(model: str, name: str, reading: float, used: NDArray[np.float32]) -> None:
    if not len(used):
        if not np.isnan(reading):
            raise unfit(model, f"READING {reading} of {name}, where no tile shows tumour")
        return
    wanted = used.mean(dtype=np.float64)
    # Written so that NaN is bad.
    if not abs(reading - wanted) <= TOLERANCE:
        raise unfit(model, f"READING {reading} of {name}, where its tiles make {wanted:.6f}")


def unfit(model: str, what: str) -> ServerError:
    """An answer of `model` that cannot be."""
    return ServerError(f"{model} answered {what}. Serve a model repository of this version.")
