"""A network model's config: its tensors and parameters are the graph's, the rest is the deployment's."""

import hashlib
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from tritonclient.utils import np_to_triton_dtype

from histoserve.export.deployment import BACKEND, deployment_of
from histoserve.export.served import ServedGraph

HEADER = """\
# Written by `histoserve export` from the graph beside it: tensors and its own parameters are the graph's.
# max_batch_size, dynamic_batching, instance_group, optimization and other parameters may be edited; an export keeps
# them.
"""


class GraphDoesNotFit(ValueError):
    """The pipeline in the repository expects other tensors than the graph has."""


def read_config(model: Path) -> ModelConfig:
    """The config in the folder `model`, which names it where the config does not."""
    path = model / "config.pbtxt"
    try:
        config = text_format.Parse(path.read_text(), ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no config of Triton's: {error}") from None
    config.name = config.name or model.name
    return config


def config_from_graph(
    served: ServedGraph, graph: onnx.ModelProto, existing: ModelConfig | None = None
) -> tuple[ModelConfig, list[str]]:
    """The model's config, tensors and parameters from the graph, the rest from `existing`; what of that was dropped."""
    dropped: list[str] = []
    if existing is not None:
        config, dropped = deployment_of(existing)
    else:
        config = ModelConfig(backend=BACKEND, max_batch_size=served.max_batch_size)
        if served.max_batch_size:
            config.dynamic_batching.SetInParent()
        # Triton makes two on a CPU unless told, and each has threads for all cores and a memory of its own.
        config.instance_group.add(count=1)
    config.name = served.model
    if config.max_batch_size and not served.max_batch_size:
        raise GraphDoesNotFit(f"{served.model}: the graph has no batch axis: set max_batch_size in its config to 0")
    # Triton adds the batch axis, the graph's first, to what the config says.
    first = 1 if config.max_batch_size else 0
    for tensors, target in ((graph.graph.input, config.input), (graph.graph.output, config.output)):
        for tensor in tensors:
            kind = tensor.type.tensor_type
            dims = [axis.dim_value or -1 for axis in kind.shape.dim[first:]]
            target.add(name=tensor.name, data_type=data_type(tensor.name, kind.elem_type), dims=dims)
    digest = hashlib.sha256(graph.SerializeToString()).hexdigest()
    for key, value in {**served.parameters, "graph_sha256": digest}.items():
        config.parameters[key].string_value = value
    return config, dropped


def data_type(name: str, onnx_type: int) -> int:
    """Triton's data type of the tensor `name`; GraphDoesNotFit for one that a request cannot hold."""
    try:
        return DataType.Value(f"TYPE_{np_to_triton_dtype(onnx.helper.tensor_dtype_to_np_dtype(onnx_type))}")
    except ValueError:
        said = onnx.TensorProto.DataType.Name(onnx_type)
        raise GraphDoesNotFit(f"{name} is {said}, which no request or answer can hold") from None
