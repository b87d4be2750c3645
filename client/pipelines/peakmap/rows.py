"""Peakmap: the tiles that decide the class of a slide, found with a rising floor, and what is written of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoserve.client.contract import Contract
from histoserve.client.errors import ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.pipelines.peakmap.peaks import Peaks
from histoserve.client.pipelines.peakmap.schema import RESULT
from histoserve.client.results.layers import Card, Cards, Class, Layer, Shape, Shapes, outline_of
from histoserve.client.results.palette import colour_of
from histoserve.client.wire import Arrays, Outputs

DIGITS = 6
"""Of scores, attention and probabilities in the files: no more than a float32 has."""

SLIDE_INPUTS = ("TILE_REGION", "SCORE", "FEATURE_MAP")
"""Of a row, what decides; the rest is for display. NETWORK is added by whoever calls."""


@dataclass(frozen=True)
class Peak:
    """One of the K best tiles of a type."""

    number: int
    """1 for the highest attention of the slide; the same in all result files."""
    type: int
    rank: int
    """Among the peaks of its type, 0 for the highest score; equal scores by position."""
    l0_region: NDArray[np.float32]
    score: float
    attention: float
    """Among the peaks of its type."""
    l0_boxes: NDArray[np.float32]
    """(boxes, 5): x, y, width, height and score of what a detector saw of this type in the tile."""


class Rows:
    """The peaks of one slide."""

    BYTES_PER_MM2 = 0
    """A few tiles of a slide, however large it is."""

    LOOKS_BACK = True
    """By the floor."""

    RESULT = RESULT

    def __init__(self, contract: Contract, slide_mpp: float):
        self._types, self._classes = contract.names("types"), contract.names("classes")
        self._k, self._threshold = int(contract.number("k")), contract.number("threshold")
        self._slide_model = f"{contract.pipeline}_slide"
        self._rows = Peaks(len(self._types), self._k, self._threshold)
        self._probability: NDArray[np.float32] | None = None
        self._peaks: list[Peak] = []

    def more_inputs(self, tiles: Sequence[PlannedTile]) -> Arrays:
        """As PipelineRows.more_inputs; the floor is that of the rows so far."""
        return {"FLOOR": self._rows.floor_for(_regions(tiles))}

    def take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        """As PipelineRows.take; at most types × K rows are kept."""
        _check(outputs, tiles, len(self._types), self._rows.rows)
        try:
            self._rows.add(outputs)
        except ValueError as error:
            raise ServerError(
                f"peakmap_tiles answered {error}: its network changed while the slide was analysed. Run it again."
            ) from error

    def finish(self, infer: Callable[[str, Arrays], Outputs]) -> None:
        """As PipelineRows.finish; a slide without any tile is not classified."""
        if self._rows.rows is None:
            return
        answer = infer(self._slide_model, {name: self._rows.rows[name] for name in SLIDE_INPUTS})
        types = len(self._types)
        shapes = {"PROBABILITY": (len(self._classes),), "PEAK_REGION": (types, self._k, 4)}
        shapes |= {"PEAK_SCORE": (types, self._k), "ATTENTION": (types, self._k)}
        for name, shape in shapes.items():
            if answer[name].shape != shape or not np.isfinite(answer[name]).all():
                raise ServerError(
                    f"{self._slide_model} answered {name} {answer[name].shape}, wanted {shape}, finite. "
                    "Export its models again."
                )
        self._probability = answer["PROBABILITY"]
        self._peaks = _peaks(answer, partial(_boxes, self._rows.rows, self._threshold))

    def result(self, tissue_mm2: float) -> dict[str, Any]:
        """As PipelineRows.result; class and probabilities are null for a slide without any tile."""
        probability, found = None, None
        if self._probability is not None:
            named = zip(self._classes, self._probability.tolist(), strict=True)
            probability = {name: round(each, DIGITS) for name, each in named}
            found = self._classes[int(self._probability.argmax())]
        types = {name: {"peaks": self._described(t)} for t, name in enumerate(self._types)}
        return {"class": found, "probability": probability, "types": types, "tissue_mm2": round(tissue_mm2, 6)}

    @staticmethod
    def words(result: dict[str, Any]) -> str:
        """As PipelineRows.words: the class and its probability."""
        if result["class"] is None:
            return "no class: nothing on the slide was analysed"
        probability = result["probability"][result["class"]]
        # Rounded up, it would be certain.
        shown = f"{probability:.3f}" if probability < 0.9995 else "> 0.999"
        return f"{result['class'].replace('_', ' ')} (probability {shown})"

    def layers(self) -> Sequence[Layer]:
        """As PipelineRows.layers: the peaks and what was seen in them; a tile that is one of two types comes twice."""
        shapes: list[Shape] = []
        cards: list[Card] = []
        for peak in self._peaks:
            name = f"{self._types[peak.type]} {peak.rank + 1}"
            numbers = {"Score": round(peak.score, DIGITS), "Attention": round(peak.attention, DIGITS)}
            boxes = [
                Shape(
                    outline_of(box[:4]),
                    peak.type,
                    {"Score": round(float(box[4]), DIGITS), "Number": peak.number},
                    f"{name}: cell",
                )
                for box in peak.l0_boxes
            ]
            tile = Shape(outline_of(peak.l0_region), peak.type, {**numbers, "Number": peak.number}, name)
            shapes.extend((tile, *boxes))
            # Not the bare name: on a slide that is negative it would read as a finding.
            caption = f"scored for {self._types[peak.type]}"
            cards.append(Card(peak.l0_region, peak.number, peak.type, caption, numbers, boxes))
        counts = np.bincount([peak.type for peak in self._peaks], minlength=len(self._types)).tolist()
        classes = tuple(Class(name, colour_of(t), counts[t]) for t, name in enumerate(self._types))
        scored = tuple(replace(each, name=f"scored for {each.name}") for each in classes)
        return [Shapes(classes, lambda: iter(shapes)), Cards("peaks", self._said(len(cards)), scored, cards)]

    def _said(self, peaks: int) -> str:
        if not peaks:
            return f"No tile reaches the score {self._threshold:g} for {', '.join(self._types)}."
        return (
            f"The class above is the whole slide's. Numbered are the {peaks} tiles that scored highest, whatever the "
            "class: places to look at, not findings."
        )

    def _described(self, type_number: int) -> list[dict[str, Any]]:
        """From the highest score to the lowest."""
        of_type = sorted((peak for peak in self._peaks if peak.type == type_number), key=lambda each: each.rank)
        return [
            {
                "number": peak.number,
                "region": np.round(peak.l0_region).astype(int).tolist(),
                "score": round(peak.score, DIGITS),
                "attention": round(peak.attention, DIGITS),
                "boxes": [
                    {"region": np.round(box[:4]).astype(int).tolist(), "score": round(float(box[4]), DIGITS)}
                    for box in peak.l0_boxes
                ],
            }
            for peak in of_type
        ]


def _regions(tiles: Sequence[PlannedTile]) -> NDArray[np.float32]:
    return np.array([tile.region for tile in tiles], np.float32)


def _boxes(rows: Outputs, threshold: float, type_number: int, region: NDArray[np.float32]) -> NDArray[np.float32]:
    """`Peak.l0_boxes` of the tile `region`, from the highest score to the lowest."""
    row = int((rows["TILE_REGION"] == region).all(axis=1).argmax())
    boxes = rows["BOX"][row][:, [0, 1, 2, 3, 4 + type_number]]
    boxes = boxes[boxes[:, 4] >= np.float32(threshold)]
    return boxes[np.argsort(-boxes[:, 4], kind="stable")]


def _peaks(answer: Outputs, boxes_of: Callable[[int, NDArray[np.float32]], NDArray[np.float32]]) -> list[Peak]:
    """By attention from high to low; equal ones by type, then by rank in it."""
    # Empty places of a type's list have the score −1.
    types, ranks = np.nonzero(answer["PEAK_SCORE"] >= 0)
    attention = answer["ATTENTION"][types, ranks]
    order = np.argsort(-attention, kind="stable")
    return [
        Peak(
            number,
            int(types[i]),
            int(ranks[i]),
            answer["PEAK_REGION"][types[i], ranks[i]],
            float(answer["PEAK_SCORE"][types[i], ranks[i]]),
            float(attention[i]),
            boxes_of(int(types[i]), answer["PEAK_REGION"][types[i], ranks[i]]),
        )
        for number, i in enumerate(order, 1)
    ]


def _check(outputs: Outputs, tiles: Sequence[PlannedTile], types: int, known: Outputs | None) -> None:
    """Raises ServerError if the outputs of one request do not fit together, the tiles sent, or the rows before."""
    count = len(outputs["TILE_REGION"])
    maps, boxes = ((known or outputs)[name].shape[1:] for name in ("FEATURE_MAP", "BOX"))
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "TILE_REGION": (np.float32, (count, 4)),
        "SCORE": (np.float32, (count, types)),
        "FEATURE_MAP": (np.float16, (count, *maps)),
        "BOX": (np.float32, (count, *boxes[:1], 4 + types)),
    }
    for name, (dtype, dims) in wanted.items():
        if outputs[name].dtype != dtype or outputs[name].shape != dims:
            raise _unfit(f"{name} {outputs[name].dtype} {outputs[name].shape}, wanted {dims}")
    sent = set(map(tuple, _regions(tiles).tolist()))
    for region in map(tuple, outputs["TILE_REGION"].tolist()):
        if region not in sent:
            raise _unfit(f"a row of the region {region}, which was not in the request")


def _unfit(what: str) -> ServerError:
    return ServerError(f"peakmap_tiles answered {what}. Serve a model repository of this version.")
