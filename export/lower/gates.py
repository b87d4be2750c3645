"""How far a graph of lower precision may stray from the float32 one, on real tiles."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from histoserve.export.near import Bounds, Strayed, faults, strayed

Outputs = Sequence[NDArray]


class TooCoarse(ValueError):
    """A graph of lower precision gives other results than a network of float32 would."""


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
