"""A PyTorch module → one ONNX graph that says what it is made of."""

import hashlib
import inspect
import logging
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

import histoserve.export
from histoserve.export.stamp import stamp

OPSET = 18

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's, per channel, of RGB in 0-1."""


class Standardise(nn.Module):
    """RGB uint8 (N, H, W, 3) → float32 (N, 3, H, W), per channel with mean 0 and deviation 1 over ImageNet."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([1 / (255 * d) for d in DEVIATION])[:, None, None], persistent=False)
        shift = torch.tensor([m / d for m, d in zip(MEAN, DEVIATION, strict=True)])[:, None, None]
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 3, 1, 2).float() * self.scale - self.shift


@dataclass(frozen=True)
class Rows:
    """A number of rows that follows from sizes of the pipeline: their product, and `more`."""

    sizes: tuple[str, ...]
    more: int = 0

    def __str__(self) -> str:
        return f"{' × '.join(self.sizes)} + {self.more}"


@dataclass(frozen=True)
class ServedGraph:
    """A network with its pre- and post-arithmetic, and what its model's config has to say."""

    model: str
    """The model's name in the repository."""
    module: nn.Module
    example: tuple[Tensor, ...]
    """Inputs to trace with; two or more along every free axis."""
    inputs: Sequence[str]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str]]
    """Input → axis → name of every axis whose length is free; axis 0 is the batch."""
    parameters: Mapping[str, str]
    """What clients and stages must know about the network: `mpp`, `types`, …"""
    max_batch_size: int = 16
    """Of a config that is written anew; 0 for a graph without a batch axis."""
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Sizes that all models of the pipeline share: name → tensor → axis, counted from the last (−1)."""
    at_once: Rows | None = None
    """The most rows that another stage puts into one request, where no client can choose fewer."""
    stamped: bool = False
    """Whether the graph says which graph it is, in an output NETWORK: those that decide rows do."""


def onnx_from_module(served: ServedGraph) -> onnx.ModelProto:
    """Exports the module, in evaluation mode, and checks the graph.

    The parameters and the identity of weights and code go into the graph's metadata.
    """
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
        graph = onnx.load(path)
    forget_origin(graph)
    name_axes(graph, served.dynamic)
    identity = {
        "weights_sha256": weights_sha256(served.module),
        "code_sha256": code_sha256(served.module),
        "torch": torch.__version__,
    }
    for key, value in {**identity, **served.parameters}.items():
        graph.metadata_props.add(key=key, value=value)
    if served.stamped:
        stamp(graph)
    onnx.checker.check_model(graph, full_check=True)
    return graph


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


def weights_sha256(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def code_sha256(module: nn.Module) -> str:
    """Identity of the source files that a module is made of: the same code and weights give the same graph."""
    folder = Path(next(iter(histoserve.export.__path__))).resolve()
    sources = {Path(inspect.getfile(type(part))).resolve() for part in module.modules()}
    digest = hashlib.sha256()
    shared = [folder / "graph.py", folder / "stamp.py"]
    for path in sorted({*shared, *(path for path in sources if path.is_relative_to(folder))}):
        digest.update(path.read_bytes())
    return digest.hexdigest()
