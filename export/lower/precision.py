"""`histoserve export --precision`: the same network in half or in 8 bits, as another version of its model.

float32 graph ─▶ trunk in float16 or int8 ─▶ gates on real tiles ─▶ stamped anew ─▶ version 2 or 3

Only graphs that see tiles are lowered: what runs once a slide costs nothing. Its metadata say the precision, and so its
NETWORK is another one: rows of two precisions are never mixed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from histoserve.export.deployment import PRECISION
from histoserve.export.lower.gates import Outputs, TooCoarse, answers, chosen_outputs, require_near
from histoserve.export.lower.half import NoHalf, halve
from histoserve.export.lower.int8 import NoIntegers, quantised
from histoserve.export.lower.rounded import LARGEST, rounded
from histoserve.export.lower.trunk import trunk_of, untrained
from histoserve.export.near import Bounds, Strayed
from histoserve.export.served import ServedGraph
from histoserve.export.stamp import remove_stamp, stamp

BOUNDS = {
    "fp16": Bounds(levels=2, outliers=1e-4, flips=1e-4, part=2 / 255, jumps=0.01),
    "int8": Bounds(levels=16, outliers=0.02, flips=0.01, part=0.1, jumps=0.02),
}
END, ROOM = 65504.0, 16.0
"""Float16's largest number; by how much real tiles must stay below it, for slides that are none of them."""


@dataclass(frozen=True)
class Lowered:
    """A graph of lower precision, and what it was found to do."""

    graph: onnx.ModelProto
    strayed: Mapping[str, Strayed]
    largest: float | None
    """Of its float16 tensors"""

    tiles: int
    """Real ones, on which it was judged"""

    def said(self, precision: str) -> dict[str, str]:
        """In words: of each output how far it strays."""
        told = {name: str(each) for name, each in self.strayed.items()}
        largest = {} if self.largest is None else {"largest value inside": f"{self.largest:.0f}"}
        return {f"{precision} against float32": f"on {self.tiles} real tiles", **told, **largest}


def can_be_lowered(served: ServedGraph) -> bool:
    return served.stamped and len(served.inputs) == 1 and served.example[0].dtype == torch.uint8


def lowered(served: ServedGraph, graph: onnx.ModelProto, precision: str, tiles: NDArray[np.uint8]) -> Lowered:
    """The graph in `precision`; of int8, half of the tiles calibrate and the others judge.

    TooCoarse beyond `BOUNDS`; ValueError, naming the model, if it has no such form.
    """
    judging, calibrating = (tiles[::2], tiles[1::2]) if precision == "int8" else (tiles, tiles[:0])
    try:
        result = converted(graph, untrained(served.module), precision, calibrating)
    except (NoHalf, NoIntegers) as error:
        raise ValueError(f"{served.model} cannot become {precision}: {error}") from error
    result.metadata_props.add(key=PRECISION, value=precision)
    stamp(result)
    onnx.checker.check_model(result, full_check=True)
    return judged(served, graph, result, precision, judging)


def converted(
    graph: onnx.ModelProto, untrained: set[str], precision: str, calibrating: NDArray[np.uint8]
) -> onnx.ModelProto:
    """Without a stamp."""
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    remove_stamp(result)
    if precision == "fp16":
        halve(result, untrained)
        return result
    result = quantised(result, trunk_of(result, untrained), calibrating)
    result.metadata_props.add(key="calibrated_on", value=sha256(calibrating.tobytes()).hexdigest())
    return result


def judged(
    served: ServedGraph, whole: onnx.ModelProto, low: onnx.ModelProto, precision: str, tiles: NDArray[np.uint8]
) -> Lowered:
    """As a CPU computes it, and of float16 also as a GPU would; the worse of both counts."""
    bounds, names, largest = BOUNDS[precision], list(served.outputs), None
    chosen = chosen_outputs(whole)
    wanted = by_name(names, answers(whole, names, tiles))
    found = require_near(served.model, by_name(names, answers(low, names, tiles)), wanted, bounds, chosen)
    if precision == "fp16":
        *outputs, peaks = answers(rounded(low), [*names, LARGEST], tiles)
        largest = float(peaks.max())
        if not largest < END / ROOM:
            raise TooCoarse(
                f"{served.model}: on real tiles values reach {largest:.0f}; float16 ends at {END:.0f}, and other slides"
                f" need room: {END / ROOM:.0f} at most"
            )
        found = require_near(served.model, by_name(names, outputs), wanted, bounds, chosen)
    return Lowered(low, found, largest, len(tiles))


def by_name(names: list[str], outputs: Outputs) -> dict[str, NDArray]:
    return dict(zip(names, outputs, strict=True))
