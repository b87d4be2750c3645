"""Reads a graph from elsewhere: what is none, or none that a pipeline could take, is refused in a line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from histoserve.export.mapping import Input

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16}


def network_in(path: Path) -> onnx.ModelProto:
    """ValueError for a file that is no graph, one whose weights stand elsewhere, and weights that are no numbers."""
    try:
        graph = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise ValueError(f"{path} is no ONNX graph, or a damaged one ({type(error).__name__})") from None
    newest, opset = onnx.defs.onnx_opset_version(), max((each.version for each in graph.opset_import), default=0)
    if not graph.graph.node or not opset:
        raise ValueError(f"{path} is no ONNX graph, or an empty one")
    if opset > newest:
        raise ValueError(f"{path} is of opset {opset}, and {newest} is the newest known: export it with an older one")
    for constant in graph.graph.initializer:
        if constant.data_location == TensorProto.EXTERNAL:
            raise ValueError(f"{path}: {constant.name} stands in another file: save the graph with its weights in it")
        values = numpy_helper.to_array(constant)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{path}: {constant.name} holds NaN or infinity, and nothing can be computed with that")
    return graph


def declared(tensors: Sequence[onnx.ValueInfoProto], name: str, path: Path) -> onnx.ValueInfoProto:
    found = next((each for each in tensors if each.name == name), None)
    if found is None:
        raise ValueError(f"{path} has no tensor {name!r}; it has {', '.join(each.name for each in tensors)}")
    if found.type.tensor_type.elem_type not in FLOATS:
        kind = TensorProto.DataType.Name(found.type.tensor_type.elem_type)
        raise ValueError(f"{path}: {name} is {kind}, wanted FLOAT or FLOAT16")
    return found


def picture_shape(tensor: onnx.ValueInfoProto, given: Input, path: Path) -> tuple[int, int]:
    """Height and width, 0 for free; ValueError for what is no batch of colour pictures."""
    axes = [axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
    channel = given.layout.index("C")
    if len(axes) != 4 or axes[channel] != 3:
        raise ValueError(f"{path}: {tensor.name} is {axes}, wanted 4 axes, of which {given.layout} has 3 at C")
    if axes[0]:
        raise ValueError(
            f"{path}: {tensor.name} takes {axes[0]} pictures, no more and no fewer: export it with a free first axis"
        )
    return axes[given.layout.index("H")], axes[given.layout.index("W")]
