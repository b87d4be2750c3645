"""A float32 graph → the same with what the network learned, its trunk, in float16.

    before    IMAGE ─▶ standardise ─▶ Conv ─▶ Relu ─▶ Conv ─▶ Softmax ─▶ × 255 ─▶ MAPS
    after     IMAGE ─▶ standardise ─▶ Cast ─▶ Conv ─▶ Relu ─▶ Conv ─▶ Cast ─▶ Softmax ─▶ × 255 ─▶ MAPS
                       float32               float16                          float32

TensorRT is strongly typed: it computes in half what a graph says in half, and nothing else.
"""

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from histoserve.export.lower.trunk import trunk_of
from histoserve.export.portable import types_of

FLOAT_INPUTS = {"Resize": {1, 2}}
"""Operator → the places of inputs that stay float32 whatever it computes in."""


class NoHalf(ValueError):
    """The graph has no form in float16."""


def halve(graph: onnx.ModelProto, untrained: Collection[str] = ()) -> list[str]:
    """Changes the graph in place; the names of the tensors that are float16 now.

    `untrained` are constants of the arithmetic around the network. NoHalf for a graph without a trunk, and for weights
    beyond float16.
    """
    types, of = types_of(graph), graph.graph
    trunk = trunk_of(graph, untrained)
    if not trunk:
        raise NoHalf("there is no convolution or product of weights in it, so nothing to halve")
    floats = [name for place in sorted(trunk) for name in of.node[place].output if types.get(name) == "FLOAT"]
    casts = Casts(graph, types, floats)
    nodes: list[NodeProto] = []
    for place, node in enumerate(of.node):
        nodes += [*casts.before(node, place in trunk), node, *casts.after(node)]
    for part, kept in ((of.node, nodes), (of.value_info, [])):
        del part[:]
        part.extend(kept)
    drop_unused(graph)
    return floats


class Casts:
    """What has to be cast between the trunk and the rest: each tensor once."""

    def __init__(self, graph: onnx.ModelProto, types: dict[str, str], half: Collection[str]):
        self.types, self.half = types, set(half)
        self.constants = {each.name: each for each in graph.graph.initializer}
        self.into, self.outputs = graph.graph.initializer, {each.name for each in graph.graph.output}
        self.made: set[str] = set()

    def before(self, node: NodeProto, in_trunk: bool) -> Iterator[NodeProto]:
        """Gives the node its inputs in the type that it computes in."""
        for place, name in enumerate(node.input):
            wants_half = in_trunk and place not in FLOAT_INPUTS.get(node.op_type, ())
            if self.types.get(name) != "FLOAT" or wants_half == (name in self.half):
                continue
            node.input[place] = cast = f"{name}/{'half' if wants_half else 'float'}"
            if cast not in self.made:
                self.made.add(cast)
                if name in self.constants:
                    self.into.append(half_of(self.constants[name], cast))
                else:
                    kind = TensorProto.FLOAT16 if wants_half else TensorProto.FLOAT
                    yield helper.make_node("Cast", [name], [cast], cast, to=kind)

    def after(self, node: NodeProto) -> Iterator[NodeProto]:
        """A graph's output that the trunk makes is float32 still."""
        for place, name in enumerate(node.output):
            if name in self.half & self.outputs:
                node.output[place] = inside = f"{name}/half"
                yield helper.make_node("Cast", [inside], [name], f"{name}/float", to=TensorProto.FLOAT)
                self.half.remove(name)


def half_of(constant: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(constant)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise NoHalf(f"{constant.name} reaches {np.abs(values).max():.3g}, and float16 ends at 65504")
    return numpy_helper.from_array(half, name)


def drop_unused(graph: onnx.ModelProto) -> None:
    """Takes out constants that no node reads any more."""
    used = {name for node in graph.graph.node for name in node.input}
    for constant in [each for each in graph.graph.initializer if each.name not in used]:
        graph.graph.initializer.remove(constant)
