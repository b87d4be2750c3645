"""A graph from elsewhere → one that a pipeline takes, its own nodes untouched.

before    x (N, 3, H, W) ─▶ network ─▶ logits
after     IMAGE ─▶ Cast ─▶ colours, layout, mean and deviation ─▶ network ─▶ Softmax ─▶ PROBABILITY, and NETWORK
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from histoserve.export.foreign_file import declared, network_in, picture_shape
from histoserve.export.mapping import Input, Mapped, Output, mapping_of
from histoserve.export.portable import require_portable
from histoserve.export.served import ServedGraph
from histoserve.export.stamp import stamp

INSIDE = "from elsewhere/"
"""Before all names of the network's, so that none is one of ours."""


def foreign(path: Path, side: int) -> tuple[ServedGraph, onnx.ModelProto]:
    """The graph in the file `path`, joined as the mapping beside it says; free sides are `side`.

    ValueError, in a line, for whatever is no such graph.
    """
    mapped, network = mapping_of(path), network_in(path)
    given = declared(network.graph.input, mapped.input.tensor, path)
    shape = picture_shape(given, mapped.input, path)
    outputs = {name: declared(network.graph.output, each.tensor, path) for name, each in mapped.outputs.items()}
    graph = joined(network, mapped, given, outputs, shape)
    graph.metadata_props.add(key="made_from_sha256", value=hashlib.sha256(path.read_bytes()).hexdigest())
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"{path} cannot be joined to the pipeline: {str(error).splitlines()[0]}") from None
    require_portable(mapped.model, graph)
    stamp(graph)
    high, wide = (each or side for each in shape)
    example = (torch.zeros(2, high, wide, 3, dtype=torch.uint8),)
    free = {axis: name for axis, name, extent in ((1, "H", shape[0]), (2, "W", shape[1])) if not extent}
    sizes = {} if free else {"tile_px": {"IMAGE": -2}}
    served = ServedGraph(
        model=mapped.model,
        module=nn.Identity(),
        example=example,
        inputs=("IMAGE",),
        outputs=tuple(outputs),
        dynamic={"IMAGE": {0: "N", **free}},
        parameters=mapped.parameters,
        max_batch_size=32,
        sizes=sizes,
        stamped=True,
    )
    return served, graph


def joined(
    network: onnx.ModelProto,
    mapped: Mapped,
    given: onnx.ValueInfoProto,
    outputs: dict[str, onnx.ValueInfoProto],
    shape: tuple[int, int],
) -> onnx.ModelProto:
    graph = onnx.compose.add_prefix(network, INSIDE)
    of = graph.graph
    kind = given.type.tensor_type.elem_type
    constants: list[TensorProto] = []
    before = list(into(mapped.input, INSIDE + given.name, kind, constants))
    after = [node for name, each in mapped.outputs.items() for node in out_of(name, each, constants)]
    inside = list(of.node)
    for part in (of.node, of.input, of.output, of.value_info):
        del part[:]
    of.node.extend([*before, *inside, *after])
    of.initializer.extend(constants)
    of.input.append(
        helper.make_tensor_value_info("IMAGE", TensorProto.UINT8, ["N", shape[0] or "H", shape[1] or "W", 3])
    )
    for name, tensor in outputs.items():
        of.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, output_shape(tensor, mapped.outputs[name]))
        )
    return graph


def output_shape(tensor: onnx.ValueInfoProto, output: Output) -> list[int | str]:
    others = [axis.dim_value or axis.dim_param for axis in tensor.type.tensor_type.shape.dim][1:]
    shape = [each or f"axis {number}" for number, each in enumerate(others, start=1)]
    return ["N", *(shape if output.column is None else [*shape[:-1], 1])]


def into(given: Input, name: str, kind: int, constants: list[TensorProto]) -> Iterator[NodeProto]:
    """IMAGE → what the network takes: bytes are cast first of all, which TensorRT wants."""
    yield helper.make_node("Cast", ["IMAGE"], ["bytes"], "bytes", to=TensorProto.FLOAT)
    last = "bytes"
    if given.colours == "BGR":
        constants.append(numpy_helper.from_array(np.array([2, 1, 0], np.int64), "blue first"))
        yield helper.make_node("Gather", [last, "blue first"], ["colours"], "colours", axis=3)
        last = "colours"
    if given.mean is not None and given.deviation is not None:
        deviation = np.array(given.deviation, np.float64)
        values = {"scale": 1 / (255 * deviation), "shift": np.array(given.mean) / deviation}
        constants += [numpy_helper.from_array(each.astype(np.float32), name) for name, each in values.items()]
        yield helper.make_node("Mul", [last, "scale"], ["scaled"], "scaled")
        yield helper.make_node("Sub", ["scaled", "shift"], ["standardised"], "standardised")
        last = "standardised"
    if given.layout == "NCHW":
        yield helper.make_node("Transpose", [last], ["planes"], "planes", perm=[0, 3, 1, 2])
        last = "planes"
    yield helper.make_node("Cast", [last], [name], "given", to=kind)


def out_of(name: str, output: Output, constants: list[TensorProto]) -> Iterator[NodeProto]:
    last = f"{name}/float"
    yield helper.make_node("Cast", [INSIDE + output.tensor], [last], last, to=TensorProto.FLOAT)
    if output.activation == "softmax":
        yield helper.make_node("Softmax", [last], [f"{name}/softmax"], f"{name}/softmax", axis=-1)
        last = f"{name}/softmax"
    elif output.activation == "sigmoid":
        yield helper.make_node("Sigmoid", [last], [f"{name}/sigmoid"], f"{name}/sigmoid")
        last = f"{name}/sigmoid"
    if output.column is None:
        yield helper.make_node("Identity", [last], [name], name)
    else:
        constants.append(numpy_helper.from_array(np.array([output.column], np.int64), f"{name}/column"))
        yield helper.make_node("Gather", [last, f"{name}/column"], [name], name, axis=-1)
