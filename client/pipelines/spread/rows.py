"""Spread: the values of a slide's regions, and what they say together."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.frame import ORIGINAL, Frame
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.spread.reading import Reading, reading_of
from histoserve.client.pipelines.spread.schema import RESULT
from histoserve.client.pipelines.spread.shown import layers_of
from histoserve.client.placed import placed
from histoserve.client.results.layers import Layer
from histoserve.client.tile_rows import TileRows
from histoserve.client.wire import Arrays, Outputs

DIGITS = 6
"""Of values and lengths in the files: no more than a float32 has."""


class Rows:
    """The values of one slide."""

    BYTES_PER_MM2 = 20_000
    """Some 20 regions, each with a value, two ends of an arrow, and outlines around it."""

    RESULT = RESULT

    NEEDS_SCALE = False
    """CT and MR have none, and a share of cells is none of µm."""

    def __init__(self, contract: Contract, slide_mpp: float):
        self._lesion, self._reached = contract.number("lesion"), contract.number("reached")
        self._slide_model = f"{contract.pipeline}_slide"
        self._tiles_model = f"{contract.pipeline}_tiles"
        self._mpp = slide_mpp
        self._frame = ORIGINAL
        self._values = TileRows()
        self._reading: Reading | None = None

    def place(self, frame: Frame) -> None:
        """As PipelineRows.place."""
        self._frame = frame

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """As PipelineRows.more_inputs."""
        return {}

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take: a row a tile, in their order."""
        value, region = outputs["VALUE"], outputs["TILE_REGION"]
        sent = np.array([tile.region for tile in tiles], np.float32)
        if value.dtype != np.float32 or value.shape != (len(tiles),) or not ((value >= 0) & (value <= 1)).all():
            raise self._unfit(f"VALUE {value.dtype} {value.shape}, wanted a share from 0 to 1 for each of {len(tiles)}")
        if not np.array_equal(region, sent):
            raise self._unfit("rows of other regions than were in the request")
        self._values.put(tiles, value)

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish; a slide without any region has no reading."""
        if not self._values:
            return
        regions, values = self.values()
        sent = {"VALUE": values, "TILE_REGION": regions, "MPP": np.array([self._mpp], np.float32)}
        self._reading = reading_of(self._slide_model, infer(self._slide_model, sent), regions)

    def values(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """As Placed.values: the shares of lesion cells."""
        return self._values.ordered()

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result."""
        found = self._reading
        main = None if found is None or found.main is None else self._frame.directions(found.main)[0]
        unit = None if main is None else (main / np.hypot(*main)).round(DIGITS).tolist()
        return {
            "main_direction": unit,
            "angle_degrees": None if unit is None else angle_of(*unit),
            "extent": self._extent(),
            "regions": self._regions(),
            "primary": self._primary(),
            "value": None if found is None else _mean_and_highest(found.heatmap),
            "tissue_mm2": _rounded(tissue_mm2),
        }

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers; none where nothing was analysed."""
        if self._reading is None:
            return []
        return [placed(layer, self._frame) for layer in layers_of(self._reading, self._lesion, self._reached)]

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: the direction and the extent."""
        if result["value"] is None:
            return "no value: nothing was analysed"
        extent, angle = result["extent"], result["angle_degrees"]
        if not extent["regions_lesion"]:
            return f"no lesion: no region's value is high (highest {result['value']['highest']:.2f})"
        towards = "no main direction" if angle is None else f"main direction {angle:.0f}° (0° right, 90° up)"
        if extent["mm2_lesion"] is None:
            sizes = f"lesion {extent['regions_lesion']}, reached {extent['regions_reached']} regions"
        else:
            sizes = f"lesion {extent['mm2_lesion']:.2f}, reached {extent['mm2_reached']:.2f} mm²"
        return f"{towards}; {sizes}"

    def _extent(self) -> dict[str, float | None]:
        found = self._reading
        if found is None:
            scale = None if math.isnan(self._mpp) else 0.0
            nothing = {"regions_lesion": 0, "regions_reached": 0, "farthest_regions": 0.0}
            return {"mm2_lesion": scale, "mm2_reached": scale, "farthest_um": scale, **nothing}
        lesion_mm2, reached_mm2, farthest_um = (each if each is None else _rounded(each) for each in found.extent)
        return {
            "mm2_lesion": lesion_mm2,
            "mm2_reached": reached_mm2,
            "farthest_um": farthest_um,
            "regions_lesion": int(found.at_least(self._lesion).sum()),
            "regions_reached": int(found.at_least(self._reached).sum()),
            "farthest_regions": round(found.farthest(self._reached), DIGITS),
        }

    def _regions(self) -> dict[str, float]:
        if self._reading is None:
            return {"rows": 0, "columns": 0, "analysed": 0, "side": 0}
        rows, columns = self._reading.heatmap.shape
        side = round(self._reading.first[2] / self._frame.scale, DIGITS)
        return {"rows": rows, "columns": columns, "analysed": len(self.values()[1]), "side": side}

    def _primary(self) -> dict[str, Any] | None:
        found = self._reading
        if found is None or found.primary_centre is None:
            return None
        rows, columns = (np.flatnonzero(found.primary.any(axis=axis)) for axis in (1, 0))
        x, y, width, height = found.first
        across, down = int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
        around = (x + int(columns[0]) * width, y + int(rows[0]) * height, across * width, down * height)
        return {
            "regions": int(found.primary.sum()),
            "centre": self._frame.points(found.primary_centre)[0].round(2).tolist(),
            "region": list(self._frame.around(around)),
        }

    def _unfit(self, what: str) -> ServerError:
        return ServerError(f"{self._tiles_model} answered {what}. Serve a model repository of this version.")


def angle_of(x: float, y: float) -> float:
    """Degrees from 0 to 360 of a direction with y down: 0 is right, 90 up, counter-clockwise as seen."""
    # What rounds to 360 is 0.
    return round(math.degrees(math.atan2(-y, x)) % 360, 3) % 360


def _mean_and_highest(heatmap: NDArray[np.float32]) -> dict[str, float]:
    values = heatmap[np.isfinite(heatmap)].astype(np.float64)
    return {"mean": round(float(values.mean()), DIGITS), "highest": round(float(values.max()), DIGITS)}


def _rounded(number: float) -> float | None:
    """As in the files; None for what is not known."""
    return round(number, DIGITS) if math.isfinite(number) else None
