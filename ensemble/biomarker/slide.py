"""Stage `biomarker_slide`: from the readings of a slide's tiles to its own (CN114387243A [0101-0103, 0168])."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.identity import check_one_network
from histoserve.ensemble.parameters import Range, Share
from histoserve.ensemble.raster import Raster, raster_of


def biomarker_slide(
    reading: NDArray[np.float32],
    tumour: NDArray[np.float32],
    tile_region: NDArray[np.float32],
    network: NDArray[np.int32],
    *,
    k: Annotated[int, Range(1, 4096)],
    mean_of: Literal["highest", "all"],
    least_tumour: Share,
) -> dict[str, NDArray]:
    """The slide's readings, and the tiles that decided them.

    `reading` (N, markers) of each tile, from 0 to 1; `tumour` (N, 1), whether it shows tumour, likewise: below
    `least_tumour` it has no reading, as there is nothing to be positive. `tile_region` (N, 4) in level-0 px; `network`
    (W, 1) of any number of the slide's windows.
    Returns `READING` float32 (markers,): the mean of the `k` highest, or of all if there are fewer or `mean_of` is all;
    NaN, no reading, without any tile that has one. `TOP` int32 (markers, k): rows of the k highest, from the highest
    (equal ones by y, then x), −1 beyond the last one.
    Rows that came twice count once, as the first of them. Raises ValueError for tensors that do not fit together,
    numbers that are no readings, tiles of two networks, rows that contradict each other, and tiles that lie on no
    raster.
    """
    _check("READING", reading, len(tile_region), None)
    _check("TUMOUR", tumour, len(tile_region), 1)
    check_one_network(network, len(tile_region))
    raster = raster_of(tile_region)
    row = _row_of_square(raster)
    # From here on by position: no reading depends on the order of the rows.
    answers = raster.filled(np.hstack([reading, tumour]), np.nan).reshape(-1, reading.shape[1] + 1)
    has_one = (row >= 0) & (answers[:, -1] >= np.float32(least_tumour))
    tiles, row = answers[has_one, :-1], row[has_one]
    # Stable: equal ones stay in the order of their positions.
    order = np.argsort(-tiles, axis=0, kind="stable")
    top = np.full((reading.shape[1], k), -1, np.int32)
    top[:, : len(row)] = row[order[:k]].T
    highest = np.take_along_axis(tiles, order, axis=0)
    return {"READING": _mean(highest[:k] if mean_of == "highest" else highest), "TOP": top}


def _row_of_square(raster: Raster) -> NDArray[np.int32]:
    """(rows × columns,): the first row that lies on each square of the raster, −1 where none does."""
    square = raster.row * raster.shape[1] + raster.column
    rows = np.full(raster.shape[0] * raster.shape[1], -1, np.int32)
    first, index = np.unique(square, return_index=True)
    rows[first] = index
    return rows


def _mean(readings: NDArray[np.float32]) -> NDArray[np.float32]:
    """(tiles, markers) → (markers,)."""
    if not len(readings):
        return np.full(readings.shape[1], np.nan, np.float32)
    return readings.astype(np.float64).mean(axis=0).astype(np.float32)


def _check(name: str, numbers: NDArray[np.float32], count: int, columns: int | None) -> None:
    """`columns`: None for any number of them but 0."""
    if numbers.ndim != 2 or len(numbers) != count or numbers.shape[1] != (columns or numbers.shape[1] or 1):
        wanted = columns or "markers"
        raise ValueError(f"{name} is {list(numbers.shape)}, wanted [{count}, {wanted}]: a row for each of TILE_REGION")
    # Written so that NaN is bad.
    bad = ~((numbers >= 0) & (numbers <= 1)).all(axis=1)
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(f"{name} {index} is {numbers[index].tolist()}; wanted numbers from 0 to 1")
