"""What a graph costs for one tile: arithmetic, traffic and memory, counted on the shapes of its tensors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, shape_inference

from histoserve.export.lower.gates import session_of
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
    """Of one row whose other free axes are `side`; ValueError for a graph that must be run for it and cannot be."""
    shapes = shapes_of(graph, side)
    types = types_of(graph)
    size = {name: math.prod(shape) * width(types.get(name)) for name, shape in shapes.items()}
    flop = sum(flop_of(node, shapes) for node in graph.graph.node)
    traffic = sum(size.get(name, 0) for node in graph.graph.node for name in (*node.input, *node.output))
    return Cost(flop, traffic, peak(graph, size))


def shapes_of(graph: onnx.ModelProto, side: int) -> Shapes:
    """Of all inputs, constants and what nodes give: by ONNX's rules, else by running the graph."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(graph)
    for tensor in fixed.graph.input:
        for place, axis in enumerate(tensor.type.tensor_type.shape.dim):
            axis.dim_value = axis.dim_value or (side if place else 1)
    given = {each.name: shape_in(each) for each in fixed.graph.input}
    names = [name for node in graph.graph.node for name in node.output if name]
    # Rules may tell of what nothing runs.
    session_of(graph)
    told = told_by_rules(fixed)
    unknown = [name for name in names if name not in told]
    ran = run_for_shapes(fixed, unknown) if unknown else {}
    return {**told, **ran, **given, **{each.name: tuple(each.dims) for each in graph.graph.initializer}}


def told_by_rules(fixed: onnx.ModelProto) -> Shapes:
    """Those that follow from the inputs' shapes; what the graph itself states of its axes is not believed."""
    asking = onnx.ModelProto()
    asking.CopyFrom(fixed)
    del asking.graph.value_info[:]
    for tensor in asking.graph.output:
        tensor.type.tensor_type.ClearField("shape")
    try:
        inferred = shape_inference.infer_shapes(asking, data_prop=True).graph
    except shape_inference.InferenceError:
        return {}
    known = [
        each
        for each in (*inferred.value_info, *inferred.output)
        if each.type.tensor_type.HasField("shape")
        and all(axis.HasField("dim_value") for axis in each.type.tensor_type.shape.dim)
    ]
    return {each.name: shape_in(each) for each in known}


def run_for_shapes(fixed: onnx.ModelProto, names: Sequence[str]) -> Shapes:
    """Those of a run on zeros; ValueError if ONNX Runtime does not run the graph.

    A tensor whose shape is asked for may stay in memory to the end, so that of a large graph few should be.
    """
    asking = onnx.ModelProto()
    asking.CopyFrom(fixed)
    of = asking.graph
    of.node.extend(helper.make_node("Shape", [name], [f"{name}/shape of"]) for name in names)
    del of.output[:]
    of.output.extend(helper.make_tensor_value_info(f"{name}/shape of", TensorProto.INT64, [None]) for name in names)
    kinds = {each.name: onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type) for each in of.input}
    feeds = {each.name: np.zeros(shape_in(each), kinds[each.name]) for each in of.input}
    try:
        found = session_of(asking).run(None, feeds)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"ONNX Runtime does not run the graph: {str(error).splitlines()[0]}") from error
    return {name: tuple(map(int, shape)) for name, shape in zip(names, found, strict=True)}


def shape_in(tensor: onnx.ValueInfoProto) -> tuple[int, ...]:
    """All axes being known."""
    return tuple(axis.dim_value for axis in tensor.type.tensor_type.shape.dim)


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
