"""What a machine that computes in float16 gets of a graph, on a processor that computes in float32 instead.

    before    Conv (float16) ─▶ y ─▶ Relu (float16)
    after     Conv (float32) ─▶ y ─▶ × 8193 ─▶ … ─▶ y to 11 bits ─▶ Relu (float32)

ONNX Runtime has no kernels in float16 for x86: it computes such a graph in float32 and leaves out the casts between, so
that what it gives says nothing of rounded activations. Here every tensor that is float16 is rounded, and sums are
float32, as a GPU's are.
"""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from histoserve.export.portable import types_of

LARGEST = "largest of its float16"
"""An output of the graph: of each tensor that is float16 the largest magnitude, (tensors,)."""
SPLIT = "2 ** 13 + 1"
"""x × SPLIT − (x × SPLIT − x) is x with 24 − 13 bits, which float16 has (Veltkamp 1968)."""


def rounded(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in float32 with every float16 tensor rounded, and `LARGEST`. Denormals keep all bits."""
    types = types_of(graph)
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    of = result.graph
    for constant in of.initializer:
        if constant.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(constant).astype(np.float32)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    of.initializer.append(numpy_helper.from_array(np.array(8193, np.float32), SPLIT))
    of.initializer.append(numpy_helper.from_array(np.array([1], np.int64), f"{LARGEST}/shape"))
    outputs = {each.name for each in of.output}
    nodes: list[NodeProto] = []
    largest: list[str] = []
    for node in of.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
        nodes.append(node)
        for place, name in enumerate(node.output):
            if types.get(name) == "FLOAT16" and name not in outputs:
                node.output[place] = f"{name}/exact"
                nodes += [*to_eleven_bits(name), *largest_of(name)]
                largest.append(f"{name}/largest")
    nodes.append(helper.make_node("Concat", largest, [LARGEST], axis=0))
    for tensor in of.output:
        if tensor.type.tensor_type.elem_type == TensorProto.FLOAT16:
            tensor.type.tensor_type.elem_type = TensorProto.FLOAT
    of.output.append(helper.make_tensor_value_info(LARGEST, TensorProto.FLOAT, [len(largest)]))
    del of.node[:], of.value_info[:]
    of.node.extend(nodes)
    return result


def to_eleven_bits(name: str) -> Iterator[NodeProto]:
    """`name/exact` → `name`."""
    exact, split, rest = f"{name}/exact", f"{name}/split", f"{name}/rest"
    yield helper.make_node("Mul", [exact, SPLIT], [split])
    yield helper.make_node("Sub", [split, exact], [rest])
    yield helper.make_node("Sub", [split, rest], [name])


def largest_of(name: str) -> Iterator[NodeProto]:
    yield helper.make_node("Abs", [name], [f"{name}/magnitude"])
    yield helper.make_node("ReduceMax", [f"{name}/magnitude"], [f"{name}/peak"], keepdims=0)
    yield helper.make_node("Reshape", [f"{name}/peak", f"{LARGEST}/shape"], [f"{name}/largest"])
