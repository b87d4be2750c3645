"""What a graph costs for one tile: arithmetic, traffic and memory, counted on the shapes of a run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from histoserve.export.gates import session_of
from histoserve.export.portable import types_of

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Cost:
    """Of one row."""

    flop: int
    """Of convolutions and products, a multiplication and an addition being two; what else there is, is little"""
    traffic: int
    """Bytes: every tensor written once and read by each node that takes it, weights included, nothing fused"""
    memory: int
    """Bytes: the most that is alive at once, without weights"""


def cost_of(graph: onnx.ModelProto, side: int) -> Cost:
    """Runs the graph once, on one row of zeros whose other free axes are `side`; ValueError if that does not work."""
    shapes = shapes_of(graph, side)
    types = types_of(graph)
    size = {name: math.prod(shape) * width(types.get(name)) for name, shape in shapes.items()}
    flop = sum(flop_of(node, shapes) for node in graph.graph.node)
    traffic = sum(size.get(name, 0) for node in graph.graph.node for name in (*node.input, *node.output))
    return Cost(flop, traffic, peak(graph, size))


def shapes_of(graph: onnx.ModelProto, side: int) -> Shapes:
    """Of all inputs, constants and what nodes give."""
    asking = onnx.ModelProto()
    asking.CopyFrom(graph)
    of = asking.graph
    names = [name for node in graph.graph.node for name in node.output if name]
    of.node.extend(helper.make_node("Shape", [name], [f"{name}/shape of"]) for name in names)
    del of.output[:]
    of.output.extend(helper.make_tensor_value_info(f"{name}/shape of", TensorProto.INT64, [None]) for name in names)
    feeds = {}
    for tensor in graph.graph.input:
        kind = tensor.type.tensor_type
        shape = [axis.dim_value or (side if place else 1) for place, axis in enumerate(kind.shape.dim)]
        feeds[tensor.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    try:
        found = session_of(asking).run(None, feeds)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"ONNX Runtime does not run the graph: {str(error).splitlines()[0]}") from error
    shapes = {name: tuple(map(int, shape)) for name, shape in zip(names, found, strict=True)}
    shapes |= {name: array.shape for name, array in feeds.items()}
    return shapes | {each.name: tuple(each.dims) for each in graph.graph.initializer}


def flop_of(node: NodeProto, shapes: Shapes) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"):
        return 0
    given = [shapes[name] for name in node.input[:2]]
    made = math.prod(shapes[node.output[0]])
    if node.op_type == "Conv":
        return 2 * made * math.prod(given[1][1:])
    if node.op_type == "ConvTranspose":
        return 2 * math.prod(given[0]) * math.prod(given[1][1:])
    if node.op_type == "Einsum":
        terms = next(each.s for each in node.attribute if each.name == "equation").decode().split("->")[0].split(",")
        extents = {
            axis: n for term, shape in zip(terms, given, strict=True) for axis, n in zip(term, shape, strict=True)
        }
        return 2 * math.prod(extents.values())
    turned = any(each.name == "transA" and each.i for each in node.attribute)
    return 2 * made * given[0][0 if turned else -1]


def peak(graph: onnx.ModelProto, size: Mapping[str, int]) -> int:
    """Bytes alive at once, in the order of the nodes, each tensor from where it is made to where it is last read."""
    nodes = graph.graph.node
    kept = {each.name for each in (*graph.graph.output, *graph.graph.initializer)}
    last = {name: place for place, node in enumerate(nodes) for name in node.input}
    highest = alive = sum(size.get(each.name, 0) for each in graph.graph.input)
    for place, node in enumerate(nodes):
        alive += sum(size.get(name, 0) for name in node.output)
        highest = max(highest, alive)
        alive -= sum(size.get(name, 0) for name in {*node.input} - kept if last[name] == place)
    return highest


def width(kind: str | None) -> int:
    """Bytes of one number; of a tensor whose type is unknown, those of an index."""
    return onnx.helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind or "INT64")).itemsize
