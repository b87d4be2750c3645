"""What of a graph a network learned: convolutions and products of trained weights, and what lies between two of them.

    IMAGE ─▶ standardise ─▶ [ Conv ─▶ Relu ─▶ Conv ─▶ … ─▶ Conv ] ─▶ Softmax ─▶ × 255 ─▶ MAPS

Found in the graph alone, so that it holds for any network.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import onnx
from onnx import NodeProto
from torch import nn

from histoserve.export.portable import types_of

PRODUCTS = frozenset(["Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"])
KINDS = (
    "Relu LeakyRelu PRelu Clip Elu HardSigmoid HardSwish Selu Sigmoid Tanh Abs Neg Identity Add Mul Sub Max Min",
    "BatchNormalization MaxPool AveragePool GlobalMaxPool Pad Resize DepthToSpace SpaceToDepth",
    "Concat Expand Flatten Gather Reshape Slice Split Squeeze Tile Transpose Unsqueeze",
)
BETWEEN = frozenset(name for kinds in KINDS for name in kinds.split())
"""What else lies between is none of it: softmax, sums and means over pixels, quotients, powers, norms need float32."""
SOFTMAX = {"Softmax", "LogSoftmax"}


def trunk_of(graph: onnx.ModelProto, untrained: Collection[str] = ()) -> set[int]:
    """Places of its nodes. A product with one of `untrained`, constants that no training made, is none."""
    nodes, types = graph.graph.node, types_of(graph)
    products = {
        place
        for place, node in enumerate(nodes)
        if node.op_type in PRODUCTS and types.get(node.output[0]) == "FLOAT" and not {*node.input} & {*untrained}
    }
    after = reached(nodes, products, lambda node: (node.input, node.output), range(len(nodes)))
    before = reached(nodes, products, lambda node: (node.output, node.input), reversed(range(len(nodes))))
    floats = {place for place, node in enumerate(nodes) if types.get(node.output[0]) == "FLOAT"}
    between = {place for place in after & before & floats if nodes[place].op_type in BETWEEN}
    weights = {each.name for each in graph.graph.initializer}
    return (products | between) - logits(nodes, weights)


def logits(nodes: Sequence[NodeProto], weights: set[str]) -> set[int]:
    """Places of what makes a softmax' argument of two tensors: attention's products, and what is done to them.

    They grow with the square of what they are made of: one network's reached 26,560 where all else stayed below 108.
    """
    wanted: set[str] = set()
    found = set()
    for place in reversed(range(len(nodes))):
        node = nodes[place]
        weighted = node.op_type in PRODUCTS and not weights.isdisjoint(node.input)
        if wanted.intersection(node.output) and node.op_type in BETWEEN | PRODUCTS and not weighted:
            found.add(place)
        if node.op_type in SOFTMAX or (place in found and node.op_type not in PRODUCTS):
            wanted.update(filter(None, node.input))
    return found


def reached(
    nodes: Sequence[NodeProto],
    start: Collection[int],
    ends: Callable[[NodeProto], tuple[Iterable[str], Iterable[str]]],
    order: Iterable[int],
) -> set[int]:
    """Places that a tensor leads to from `start`, in `order`; `ends` of a node are where it is entered and left."""
    tensors: set[str] = set()
    found = set()
    for place in order:
        entered, left = ends(nodes[place])
        if tensors.intersection(filter(None, entered)):
            found.add(place)
        if place in found or place in start:
            tensors.update(filter(None, left))
    return found


def untrained(module: nn.Module) -> set[str]:
    """Names of the constants that are no weights: buffers that its weights' file does not hold."""
    return {name for name, _ in module.named_buffers()} - module.state_dict().keys()
