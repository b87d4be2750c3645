"""Tissue: the classes of the tiles, and what is written of the slide that they make."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.tissue.check import check_answer, check_rows
from histoserve.client.pipelines.tissue.regions import Region, Tiles, regions_of
from histoserve.client.pipelines.tissue.schema import RESULT
from histoserve.client.results.layers import Card, Cards, Class, Grid, Layer, Shape, Shapes
from histoserve.client.results.palette import colour_of
from histoserve.client.tile_rows import TileRows
from histoserve.client.wire import Arrays, Outputs

DIGITS = 6
"""Of probabilities and areas in the files: no more than a float32 has."""

MOST_CARDS = 60
"""Of the worst regions; each is a picture, and a slide may have hundreds. The other files have all."""


class Rows:
    """The tiles of one slide."""

    BYTES_PER_MM2 = 4_000
    """Tiles in a mm² (3.8) × bytes of one in all files: 640 where each is abnormal and every fourth a region."""

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        """Raises ServerError for a network that tells nothing apart."""
        self._classes = contract.names("classes")
        if len(self._classes) < 2:
            raise ServerError(
                f"The server's pipeline {contract.pipeline} has the class {', '.join(self._classes)!r} alone; wanted a "
                "normal one and then one or more abnormal ones. Export another network."
            )
        self._k, self._threshold = int(contract.number("k")), np.float32(contract.number("threshold"))
        self._pipeline, self._mpp = contract.pipeline, slide_mpp
        self._rows = TileRows()
        self._tiles: Tiles | None = None
        self._probability: NDArray[np.float32] | None = None
        self._regions: list[Region] = []

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """As PipelineRows.more_inputs."""
        return {}

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take."""
        check_rows(f"{self._pipeline}_tiles", outputs, tiles, len(self._classes))
        self._rows.put(tiles, outputs["PROBABILITY"])

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish; a slide without any tile is not classed."""
        if not self._rows:
            return
        model = f"{self._pipeline}_slide"
        tiles = Tiles(*self._rows.ordered())
        answer = infer(model, {"PROBABILITY": tiles.probability, "TILE_REGION": tiles.l0_regions})
        check_answer(model, answer, tiles)
        self._tiles, self._probability = tiles, answer["PROBABILITY"]
        self._regions = regions_of(tiles, answer["GROUP"], self._mpp)

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result; class and probabilities are null for a slide without any tile."""
        probability = None
        if self._probability is not None:
            named = zip(self._classes, self._probability.tolist(), strict=True)
            probability = {name: round(each, DIGITS) for name, each in named}
        return {
            "class": self._class(),
            "probability": probability,
            "regions": [self._described(region) for region in self._regions],
            "tissue_mm2": round(tissue_mm2, DIGITS),
        }

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: the class, how abnormal the slide is, and its regions."""
        if result["class"] is None:
            return "no class: nothing on the slide was analysed"
        normal, probability = next(iter(result["probability"].items()))
        abnormal = 1 - probability
        # Rounded to 0 or 1, it would be certain.
        shown = "< 0.001" if abnormal < 0.0005 else f"{abnormal:.3f}" if abnormal < 0.9995 else "> 0.999"
        named = f"{result['class'].replace('_', ' ')} (abnormal with probability {shown})"
        count, mm2 = len(result["regions"]), sum(each["mm2"] for each in result["regions"])
        if not count:
            return named
        though = "yet " if result["class"] == normal else ""
        return f"{named}, {though}{count:,} abnormal {'region' if count == 1 else 'regions'}, {mm2:.3g} mm²"

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers: how abnormal each tile is, and the regions."""
        counts = np.bincount([region.of for region in self._regions], minlength=len(self._classes)).tolist()
        classes = tuple(
            Class(name, colour_of(number), counts[number + 1]) for number, name in enumerate(self._classes[1:])
        )
        shapes = [self._shape(region) for region in self._regions]
        listed = [self._card(region, shapes[i]) for i, region in enumerate(self._regions[:MOST_CARDS])]
        told = tuple(replace(each, name=_told(each.name)) for each in classes)
        layers: list[Layer] = [Shapes(classes, lambda: iter(shapes)), Cards("regions", self._said(), told, listed)]
        if self._tiles is None:
            return layers
        grid = Grid("Abnormal probability", self._tiles.raster(), self._tiles.l0_first, (0, 1), "%")
        return [grid, *layers]

    def _class(self) -> str | None:
        if self._probability is None:
            return None
        abnormal = np.float32(1) - self._probability[0]
        return self._classes[0 if abnormal < self._threshold else 1 + int(self._probability[1:].argmax())]

    def _described(self, region: Region) -> dict[str, Any]:
        return {
            "number": region.number,
            "class": self._classes[region.of],
            "mean": round(region.mean, DIGITS),
            "highest": round(region.highest, DIGITS),
            "mm2": round(region.mm2, DIGITS),
            "tiles": region.tiles,
            "region": region.l0_region.astype(int).tolist(),
        }

    def _shape(self, region: Region) -> Shape:
        (outline, *holes), *further = region.l0_parts
        measurements = {**_numbers(region), "Number": region.number}
        # Without a name of its own, a viewer lists it by its class.
        return Shape(outline, region.of - 1, measurements, None, holes, further)

    def _card(self, region: Region, shape: Shape) -> Card:
        # Not the bare name: on a slide that is normal it would read as a finding.
        caption = _told(self._classes[region.of])
        return Card(region.l0_region, region.number, region.of - 1, caption, _numbers(region), [shape])

    def _said(self) -> str:
        if self._tiles is None:
            return "Nothing on the slide was analysed, so it has no class: that does not mean normal."
        if not self._regions:
            return f"No tile is abnormal with a probability of {self._threshold:g} or more."
        count, all_tiles = len(self._regions), len(self._tiles.l0_regions) <= self._k
        deciding = "all its tiles" if all_tiles else f"its {self._k} most abnormal tiles"
        if count > MOST_CARDS:
            numbered = f"are the {MOST_CARDS} worst of {count:,} regions"
        else:
            numbered = "is the region" if count == 1 else f"are the {count} regions"
        return (
            f"The class above is the whole slide's, by {deciding}. Numbered {numbered} of tiles abnormal with a "
            f"probability of {self._threshold:g} or more, the worst first, whatever the class: places to look at, not "
            "findings."
        )


def _told(name: str) -> str:
    return f"region classed {name}"


def _numbers(region: Region) -> dict[str, float]:
    return {
        "Mean": round(region.mean, DIGITS),
        "Highest": round(region.highest, DIGITS),
        "Area mm^2": round(region.mm2, DIGITS),
    }
