"""A PyTorch module → one ONNX graph that says what it is made of."""

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch

from histoserve.export.identity import code_sha256, weights_sha256
from histoserve.export.served import ServedGraph
from histoserve.export.stamp import stamp

OPSET = 18


def onnx_from_module(served: ServedGraph) -> onnx.ModelProto:
    """Exports the module, in evaluation mode, and checks the graph.

    The parameters and the identity of weights and code go into the graph's metadata.
    """
    graph = traced(served)
    forget_origin(graph)
    name_axes(graph, served.dynamic)
    made_of = {"weights_sha256": weights_sha256(served.module), "code_sha256": code_sha256(served.module)}
    for key, value in {**made_of, "torch": torch.__version__, **served.parameters}.items():
        graph.metadata_props.add(key=key, value=value)
    if served.stamped:
        stamp(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def traced(served: ServedGraph) -> onnx.ModelProto:
    """The graph as PyTorch's exporter writes it."""
    free = [dict.fromkeys(served.dynamic.get(name, {}), torch.export.Dim.DYNAMIC) for name in served.inputs]
    # torch tells of its own plans, and that torchvision is absent: nothing that a user could act on.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
    program = torch.onnx.export(
        served.module.eval(),
        served.example,
        dynamo=True,
        input_names=list(served.inputs),
        output_names=list(served.outputs),
        dynamic_shapes=tuple(free),
        opset_version=OPSET,
        optimize=True,
        verbose=False,
    )
    assert program is not None, "only an export straight to a file returns nothing"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        program.save(path, external_data=False)
        return onnx.load(path)


def forget_origin(graph: onnx.ModelProto) -> None:
    """Takes out where in which file each node was traced: the same network is the same graph in whatever folder."""
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.graph.ClearField("metadata_props")
    graph.graph.ClearField("doc_string")


def name_axes(graph: onnx.ModelProto, dynamic: Mapping[str, Mapping[int, str]]) -> None:
    """Gives the free axes of inputs the names a person gave them, instead of the exporter's."""
    for tensor in graph.graph.input:
        for axis, name in dynamic.get(tensor.name, {}).items():
            tensor.type.tensor_type.shape.dim[axis].dim_param = name
