"""What a way of valuing regions says of a slide: as served, or by the served rule on other values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.ensemble.spread.slide import spread_slide
from histoserve.export.result_files import regions_at
from histoserve.export.spread.results import Result


@dataclass(frozen=True)
class Answer:
    """Of one slide."""

    direction: NDArray[np.float64] | None
    """(2,): x to the right and y down; None for none."""
    farthest_um: float
    """0 without a primary."""
    mm2: tuple[float, float]
    """Of lesion, and reached."""
    value: NDArray[np.float64]
    """(rows, columns), NaN for none."""


def as_served(result: Result) -> Answer:
    """What stands in the files."""
    return Answer(result.direction, result.farthest_um, result.mm2, result.value.astype(np.float64))


def by_values(
    value: NDArray[np.float64], result: Result, mpp: float, l0_first: tuple[float, ...] | None = None
) -> Answer:
    """The stage's rules, as they were served, on other values (rows, columns), NaN for none.

    Of the result's raster, or of one that begins with the region `l0_first`.
    """
    known = np.isfinite(value)
    if not known.any():
        return Answer(None, 0.0, (0.0, 0.0), value)
    found = spread_slide(
        value[known].astype(np.float32),
        regions_at(known, l0_first or result.l0_first),
        np.array([mpp], np.float32),
        np.zeros((1, 1), np.int32),
        **result.rules,
    )
    lesion, reached, farthest = found["EXTENT"].tolist()
    main = found["MAIN_DIRECTION"]
    direction = main.astype(np.float64) if np.isfinite(main).all() else None
    return Answer(direction, farthest, (lesion, reached), value)
