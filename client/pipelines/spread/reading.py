"""What `spread_slide` says of a slide, checked, and what follows of it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoserve.client.errors import ServerError
from histoserve.client.wire import Outputs


@dataclass(frozen=True)
class Reading:
    """Of one slide; places in px of the picture that was analysed."""

    heatmap: NDArray[np.float32]
    """(rows, columns), NaN where there is no region."""
    direction: NDArray[np.float32]
    """(rows, columns, 2)."""
    primary: NDArray[np.bool_]
    """(rows, columns)."""
    main: NDArray[np.float32] | None
    """(2,) px from the primary's centre; None for none."""
    extent: tuple[float | None, float | None, float | None]
    """mm² of lesion and reached, µm to the farthest; None where the scale is not known."""
    first: tuple[float, float, float, float]
    """x, y, width, height of row 0, column 0."""

    @property
    def centres(self) -> NDArray[np.float64]:
        """(rows, columns, 2)."""
        rows, columns = np.indices(self.heatmap.shape)
        return (np.stack((columns, rows), -1) + 0.5) * self.first[2:] + self.first[:2]

    @property
    def primary_centre(self) -> NDArray[np.float64] | None:
        """(2,); None without a primary."""
        return self.centres[self.primary].mean(axis=0) if self.primary.any() else None

    def at_least(self, value: float) -> NDArray[np.bool_]:
        """(rows, columns): regions at or above `value`."""
        reached: NDArray[np.bool_] = np.nan_to_num(self.heatmap, nan=-1) >= np.float32(value)
        return reached

    def farthest(self, value: float) -> float:
        """Regions from the primary's centre to that of the farthest at or above `value`; 0 without a primary."""
        centre = self.primary_centre
        if centre is None:
            return 0.0
        away = (self.centres[self.at_least(value)] - centre) / self.first[2:]
        return float(np.hypot(*away.T).max(initial=0))


def reading_of(model: str, answer: Outputs, regions: NDArray[np.float32]) -> Reading:
    """`regions` (N, 4): those that were sent. Raises ServerError for an answer that does not fit them, or itself."""
    shape = answer["HEATMAP"].shape
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "HEATMAP": (np.float32, shape),
        "DIRECTION": (np.float32, (*shape, 2)),
        "PRIMARY": (np.bool_, shape),
        "MAIN_DIRECTION": (np.float32, (2,)),
        "EXTENT": (np.float32, (3,)),
    }
    for name, (dtype, dims) in wanted.items():
        if answer[name].dtype != dtype or answer[name].shape != dims or len(shape) != 2:
            raise _unfit(model, f"{name} {answer[name].dtype} {answer[name].shape}, wanted {dims}")
    count = len(np.unique(regions, axis=0))
    if int(np.isfinite(answer["HEATMAP"]).sum()) != count:
        raise _unfit(model, f"a heat map of other than the {count} regions that were sent")
    main, extent = answer["MAIN_DIRECTION"], [float(each) for each in answer["EXTENT"]]
    x, y = regions[:, :2].min(axis=0).tolist()
    width, height = np.median(regions[:, 2:], axis=0).tolist()
    lesion_mm2, reached_mm2, farthest = (each if math.isfinite(each) else None for each in extent)
    return Reading(
        answer["HEATMAP"],
        answer["DIRECTION"],
        answer["PRIMARY"],
        main if np.isfinite(main).all() else None,
        (lesion_mm2, reached_mm2, farthest),
        (x, y, width, height),
    )


def _unfit(model: str, what: str) -> ServerError:
    return ServerError(f"{model} answered {what}. Serve a model repository of this version.")
