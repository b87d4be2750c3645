"""What runtimes other than ONNX Runtime take as well: a closed list of operators and types, and where bytes may stand.

    IMAGE uint8 ──▶ Cast ──▶ Transpose ──▶ network in floats ──▶ Transpose ──▶ Cast ──▶ MAPS uint8
       ╰──▶ Shape ──▶ N

TensorRT casts bytes at a graph's border and does nothing else with them. Where it is installed, its parser is asked
too (`tensorrt`); the list refuses without it what no engine would be built of.
"""

from collections.abc import Iterator

import onnx
from onnx import NodeProto, TensorProto

KINDS = (
    "Abs Ceil Clip Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax Mish Neg PRelu Reciprocal",
    "Relu Round Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh Add Div Max Min Mod Mul Pow Sub Sum",
    "And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Where Xor ArgMax ArgMin CumSum TopK",
    "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
    "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace Einsum Gemm GlobalAveragePool GlobalMaxPool",
    "InstanceNormalization LayerNormalization MatMul MaxPool Pad Resize SpaceToDepth",
    "Cast Concat Constant ConstantOfShape Expand Flatten Gather GatherElements GatherND Range Reshape Shape Size Slice",
    "Split Squeeze Tile Transpose Trilu Unsqueeze QuantizeLinear DequantizeLinear",
)
OPERATORS = frozenset(name for kinds in KINDS for name in kinds.split())
"""Of each, a test builds an engine. None draws random numbers, branches, or makes as many values as it finds."""

INSIDE = {"FLOAT", "FLOAT16", "BFLOAT16", "INT8", "INT32", "INT64", "BOOL"}
"""Not DOUBLE: TensorRT computes in 32 bits then, without a word."""
BORDER = {"UINT8", "FLOAT", "FLOAT16", "INT32", "INT64", "BOOL"}
"""Of inputs and outputs."""
TAKES_BYTES = {"Cast", "Shape"}


class NotPortable(ValueError):
    """No runtime but ONNX Runtime would take the graph."""


def require_portable(model: str, graph: onnx.ModelProto) -> None:
    """NotPortable naming `model`, the first node that is not on the list, and why."""
    types = types_of(graph)
    of = graph.graph
    for tensor in (*of.input, *of.output):
        if types[tensor.name] not in BORDER:
            raise NotPortable(
                f"{model}: {tensor.name} is {types[tensor.name]}; inputs and outputs may be {', '.join(sorted(BORDER))}"
            )
    inputs, outputs = ({tensor.name for tensor in tensors} for tensors in (of.input, of.output))
    for place, node in enumerate(of.node):
        for fault in faults(node, types, inputs, outputs):
            raise NotPortable(f"{model}: node {node.name or place} ({node.op_type}) {fault}")


def faults(node: NodeProto, types: dict[str, str], inputs: set[str], outputs: set[str]) -> Iterator[str]:
    if node.domain not in ("", "ai.onnx"):
        yield f"is of {node.domain}: only ONNX' own operators are known to every runtime"
    if node.op_type not in OPERATORS:
        yield "is not among the operators that TensorRT is known to take: compute it from those in export/portable.py"
    for name in filter(None, node.input):
        if types.get(name) == "UINT8" and not (name in inputs and node.op_type in TAKES_BYTES):
            yield (
                f"takes {name} as UINT8, which TensorRT casts at the border and takes nowhere else: cast the input"
                " first of all, before a permute"
            )
    for name in filter(None, node.output):
        if types.get(name) == "UINT8" and not (name in outputs and node.op_type == "Cast"):
            yield (
                f"gives {name} as UINT8, which TensorRT casts at the border and takes nowhere else: cast the output"
                " last of all, after a permute"
            )
    for name in filter(None, (*node.input, *node.output)):
        if name in types and types[name] not in {"UINT8", *INSIDE}:
            yield f"has {name} as {types[name]}; tensors may be {', '.join(sorted(INSIDE))}"


def types_of(graph: onnx.ModelProto) -> dict[str, str]:
    """Tensor → its type's name in ONNX; a few, whose shape follows from values, may be missing."""
    of = onnx.shape_inference.infer_shapes(graph).graph
    kinds = {each.name: each.type.tensor_type.elem_type for each in (*of.value_info, *of.input, *of.output)}
    kinds.update({each.name: each.data_type for each in of.initializer})
    return {name: TensorProto.DataType.Name(kind) for name, kind in kinds.items()}
