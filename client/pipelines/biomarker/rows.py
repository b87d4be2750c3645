"""Biomarker: the readings of the tiles, and the slide's that they make."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.biomarker.readings import Readings, readings_of, rule_of, unfit
from histoserve.client.pipelines.biomarker.schema import RESULT
from histoserve.client.pipelines.biomarker.shown import CARDS, layers_of
from histoserve.client.results.layers import Layer
from histoserve.client.tile_rows import TileRows
from histoserve.client.wire import Arrays, Outputs

NOTHING, NO_TUMOUR = "no reading: nothing on the slide was analysed", "no reading: no tumour was seen"

DIGITS = 6
"""Of readings and areas in the files: no more than a float32 has."""


class Rows:
    """The tiles of one slide."""

    BYTES_PER_MM2 = 16_000
    """Tiles in a mm² (10.6) × the bytes of four readings in all files, each with its square."""

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        """Raises ServerError as `rule_of`."""
        self._rule = rule_of(contract)
        self._pipeline = contract.pipeline
        self._rows = TileRows()
        self._readings: Readings | None = None

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """As PipelineRows.more_inputs."""
        return {}

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take: a row a tile, in their order."""
        model, markers = f"{self._pipeline}_tiles", len(self._rule.markers)
        for name, columns in (("READING", markers), ("TUMOUR", 1)):
            numbers, shape = outputs[name], (len(tiles), columns)
            # Written so that NaN is bad.
            if numbers.dtype != np.float32 or numbers.shape != shape or not ((numbers >= 0) & (numbers <= 1)).all():
                raise unfit(model, f"{name} {numbers.dtype} {numbers.shape}, wanted {shape}, all from 0 to 1")
        if not np.array_equal(outputs["TILE_REGION"], _regions(tiles)):
            raise unfit(model, "other regions than those of the request")
        self._rows.put(tiles, np.hstack([outputs["READING"], outputs["TUMOUR"]]))

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish; a slide without any tile, or any tumour, has no reading."""
        if not self._rows:
            return
        model = f"{self._pipeline}_slide"
        regions, answers = self._rows.ordered()
        tiles, tumour = np.ascontiguousarray(answers[:, :-1]), np.ascontiguousarray(answers[:, -1:])
        answer = infer(model, {"READING": tiles, "TUMOUR": tumour, "TILE_REGION": regions})
        self._readings = readings_of(model, answer, regions, tiles, tumour, self._rule)

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result; readings are null for a slide on which no tumour is seen."""
        return {
            "stain": self._rule.stain,
            "mean_of": self._rule.mean_of,
            "readings": {name: self._described(number) for number, name in enumerate(self._rule.markers)},
            "tissue_mm2": round(tissue_mm2, DIGITS),
        }

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: the readings, in per cent."""
        readings = {name: each["reading"] for name, each in result["readings"].items()}
        if None in readings.values():
            return NOTHING if not any(each["tiles"] for each in result["readings"].values()) else NO_TUMOUR
        return ", ".join(f"{name} {per_cent(value)}" for name, value in readings.items())

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers: a heat map a marker, on one scale, its highest tiles, and the first of them."""
        seen = self._readings is not None and self._readings.with_tumour
        said = [per_cent(float(each)) for each in self._readings.slide] if self._readings and seen else []
        return layers_of(self._readings, self._rule, said)

    def _described(self, marker: int) -> dict[str, Any]:
        if self._readings is None:
            return {"reading": None, "tiles_used": 0, "tiles_with_tumour": 0, "tiles": 0, "highest": []}
        count, reading = self._readings.with_tumour, float(self._readings.slide[marker])
        return {
            "reading": round(reading, DIGITS) if count else None,
            "tiles_used": self._rule.used(count),
            "tiles_with_tumour": count,
            "tiles": len(self._readings.tiles),
            "highest": [
                {
                    "number": self._readings.number(marker, rank, CARDS),
                    "region": np.round(self._readings.l0_regions[row]).astype(int).tolist(),
                    "reading": round(float(self._readings.tiles[row, marker]), DIGITS),
                }
                for rank, row in enumerate(self._readings.top[marker])
            ],
        }


def per_cent(reading: float) -> str:
    """In whole per cent; what is rounded to none or all of the cells is not told as that."""
    shown = f"{100 * reading:.0f} %"
    if shown == "0 %" and reading > 0:
        return "< 1 %"
    return "> 99 %" if shown == "100 %" and reading < 1 else shown


def _regions(tiles: Sequence[PlannedTile]) -> NDArray[np.float32]:
    return np.array([tile.region for tile in tiles], np.float32)
