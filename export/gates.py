"""How far a graph of lower precision may stray from the float32 one, on real tiles."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Outputs = Sequence[NDArray]


class TooCoarse(ValueError):
    """A graph of lower precision gives other results than a network of float32 would."""


@dataclass(frozen=True)
class Bounds:
    """What is let pass. Rows are judged apart from this, by scoring what was served."""

    levels: int
    """Of bytes: by how many one may differ"""
    outliers: float
    """Share of the bytes that may differ by more"""
    flips: float
    """Share of the bytes that may change sides of one half: which pixels are nucleus"""
    part: float
    """Of other numbers: by how much of the largest one may differ"""
    jumps: float
    """Share of those that may differ by more"""


@dataclass(frozen=True)
class Strayed:
    """How far one output did."""

    largest: float
    """Difference: levels of bytes, or a part of the largest number"""
    beyond: float
    """Share that differs by more than allowed"""
    flips: float
    """0 for an output that is no bytes"""
    of_bytes: bool

    def __str__(self) -> str:
        if self.of_bytes:
            return f"within {self.largest:.0f} levels, {self.flips:.1e} on the other side of one half"
        if self.beyond:
            return f"near float32 but for {self.beyond:.1%}"
        return f"within {self.largest:.2g} of the largest"


def session_of(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """ValueError for a graph that ONNX Runtime cannot load."""
    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its exceptions have no common class.
        raise ValueError(f"ONNX Runtime does not load the graph: {str(error).splitlines()[0]}") from error


def answers(graph: onnx.ModelProto, names: Sequence[str], tiles: NDArray[np.uint8]) -> Outputs:
    """Each output for all tiles, which are given one at a time, for memory's sake."""
    session = session_of(graph)
    (given,) = session.get_inputs()
    each = [session.run(list(names), {given.name: tile[None]}) for tile in tiles]
    return [np.concatenate(parts) if parts[0].ndim else np.stack(parts) for parts in zip(*each, strict=True)]


def strayed(found: NDArray, wanted: NDArray, bounds: Bounds) -> Strayed:
    difference = np.abs(found.astype(np.float64) - wanted.astype(np.float64))
    if not np.isfinite(difference).all():
        return Strayed(np.inf, 1.0, 0.0, False)
    if wanted.dtype == np.uint8:
        flips = float(((found >= 128) != (wanted >= 128)).mean())
        return Strayed(float(difference.max(initial=0)), float((difference > bounds.levels).mean()), flips, True)
    difference /= np.abs(wanted).max(initial=1e-6)
    return Strayed(float(difference.max(initial=0)), float((difference > bounds.part).mean()), 0.0, False)


def require_near(
    model: str, found: Mapping[str, NDArray], wanted: Mapping[str, NDArray], bounds: Bounds, chosen: Collection[str]
) -> dict[str, Strayed]:
    """How far each output strayed; TooCoarse, with the figure and its bound, if that is too far.

    Numbers that are `chosen` are told and not judged: a box lies elsewhere if of two equal peaks the other is higher.
    """
    result = {name: strayed(found[name], wanted[name], bounds) for name in wanted}
    for name, each in result.items():
        if name in chosen and not each.of_bytes and np.isfinite(each.largest):
            continue
        for fault in faults(each, bounds):
            raise TooCoarse(f"{model}: on real tiles {name} strays too far from float32: {fault}")
    return result


def chosen_outputs(graph: onnx.ModelProto) -> set[str]:
    """Outputs that follow from a ranking."""
    made = {name: node for node in graph.graph.node for name in node.output}
    found = set()
    for output in graph.graph.output:
        seen: set[str] = set()
        left = [output.name]
        while left:
            name = left.pop()
            node = made.get(name)
            if node is not None and name not in seen:
                seen.add(name)
                left += node.input
                if node.op_type == "TopK":
                    found.add(output.name)
    return found


def faults(strayed: Strayed, bounds: Bounds) -> Iterator[str]:
    if strayed.of_bytes:
        unit, allowed = f"{bounds.levels} levels", bounds.outliers
    else:
        unit, allowed = f"{bounds.part:.2g} of the largest value", bounds.jumps
    if strayed.beyond > allowed:
        yield f"{strayed.beyond:.2%} differ by more than {unit}, at most {allowed:.2%} may"
    if strayed.flips > bounds.flips:
        yield f"{strayed.flips:.1e} are on the other side of one half, at most {bounds.flips:.1e} may be"
