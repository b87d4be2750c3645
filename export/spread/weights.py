"""VGG16's convolutions from a file of torchvision's, of Keras' or of Caffe's origin, as `SpreadNetwork` takes them.

.pth  torchvision's names; RGB, standardised as here       ─────────────────────────────────────────▶ features
.h5   kernels (height, width, in, out) ─┐ BGR in 0-255, the mean subtracted ─▶ first one rewritten ─▶ features, beyond
.onnx kernels (out, in, height, width) ─┘
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from histoserve.export.spread.network import CONVOLUTIONS, LAYERS
from histoserve.export.standardise import DEVIATION, MEAN
from histoserve.export.weight_file import require_finite, weights_from_file

CAFFE_MEAN = (103.939, 116.779, 123.68)
"""Subtracted from blue, green and red in 0-255 (Simonyan and Zisserman, 2014; Keras' `vgg16.preprocess_input`)."""
KERNEL = (3, 3)
HDF5 = b"\x89HDF\r\n\x1a\n"

Kernel = tuple[np.ndarray, np.ndarray]
"""Weight (out, in, 3, 3) and bias (out,)."""


def extractor_from_file(path: Path) -> dict[str, Tensor]:
    """`features.*` and `beyond` of a network, from the file of VGG16's or of another of these networks.

    A file of Keras' or an ONNX graph is taken to be of Caffe's origin, as both libraries' VGG16 are. ValueError, in one
    sentence, for a file that is none of these, or has other convolutions.
    """
    if not path.is_file():
        raise ValueError(f"no weights at {path}: a file of VGG16's is wanted, .pth, .h5 or .onnx")
    if path.suffix.lower() == ".onnx":
        found = features_from_caffe(_of_onnx(path), path)
    elif path.read_bytes()[: len(HDF5)] == HDF5:
        found = features_from_caffe(_of_hdf5(path), path)
    else:
        found = _of_torchvision(weights_from_file(path), path)
    require_finite(found, path)
    return found


def features_from_caffe(kernels: Sequence[Kernel], path: Path) -> dict[str, Tensor]:
    """Under torchvision's names; the first kernel takes our RGB instead of BGR in 0-255 less its mean.

    Both see one number: 255 × (deviation × standardised + mean) − their mean, so the first is scaled by 255 ×
    deviation, and `beyond` is where their 0 lies in ours.
    """
    _require_chain([weight.shape for weight, _ in kernels], path)
    deviation, ours, theirs = (np.array(each, np.float64) for each in (DEVIATION, MEAN, CAFFE_MEAN[::-1]))
    first, first_bias = kernels[0]
    rewritten = first[:, ::-1] * (255 * deviation)[:, None, None], first_bias
    found = {"beyond": torch.from_numpy((theirs / 255 - ours) / deviation).float()[:, None, None]}
    for number, (weight, bias) in zip(CONVOLUTIONS, [rewritten, *kernels[1:]], strict=True):
        found[f"features.{number}.weight"] = torch.from_numpy(np.array(weight, np.float32))
        found[f"features.{number}.bias"] = torch.from_numpy(np.array(bias, np.float32))
    return found


def _of_torchvision(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    wanted = [f"features.{number}.{part}" for number in CONVOLUTIONS for part in ("weight", "bias")]
    if missing := [name for name in wanted if name not in weights]:
        raise ValueError(f"{path} holds no VGG16 under torchvision's names: {missing[0]} is missing")
    _require_chain([tuple(weights[name].shape) for name in wanted[::2]], path)
    return {name: weights[name] for name in (*wanted, "beyond") if name in weights}


def _of_hdf5(path: Path) -> list[Kernel]:
    """In the order of their names, in which 2 comes before 10; what an optimiser kept is left out."""
    found: dict[str, dict[int, np.ndarray]] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        # VGG16's fully connected layers are half a gigabyte of two axes.
        if isinstance(item, h5py.Dataset) and item.ndim in (1, 4) and not name.startswith("optimizer"):
            found.setdefault(name.rpartition("/")[0], {})[item.ndim] = item[()]

    try:
        with h5py.File(path) as file:
            file.visititems(visit)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged HDF5 file") from error
    groups = [found[name] for name in sorted(found, key=_natural)]
    pairs = [(group[4], group[1]) for group in groups if {1, 4} <= group.keys()]
    return [(kernel.transpose(3, 2, 0, 1), bias) for kernel, bias in pairs if kernel.shape[:2] == KERNEL]


def _of_onnx(path: Path) -> list[Kernel]:
    """In the order of the graph."""
    try:
        model = onnx.load(path)
        tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{path} is no ONNX graph, or a damaged one, or its tensors stand elsewhere") from error
    if model.producer_name == "pytorch":
        raise ValueError(f"{path} was written by PyTorch, so is not of Caffe's origin: give the .pth that it is from")
    return list(_kernels(model.graph.node, tensors))


def _kernels(nodes: Sequence[onnx.NodeProto], tensors: dict[str, np.ndarray]) -> Iterator[Kernel]:
    for node in nodes:
        if node.op_type == "Conv" and len(node.input) == 3 and set(node.input[1:]) <= tensors.keys():
            weight, bias = (tensors[name] for name in node.input[1:])
            if weight.shape[2:] == KERNEL:
                yield weight, bias


def _require_chain(shapes: Sequence[tuple[int, ...]], path: Path) -> None:
    """ValueError unless these are 13 kernels, each of which takes what the one before it gives, the first RGB."""
    if len(shapes) != LAYERS:
        raise ValueError(f"{path} holds {len(shapes)} convolutions of 3×3 with a bias, wanted VGG16's {LAYERS}")
    given = 3
    for number, shape in enumerate(shapes, start=1):
        if len(shape) != 4 or shape[1:] != (given, *KERNEL):
            raise ValueError(f"{path}: convolution {number} is {list(shape)}, wanted [filters, {given}, 3, 3]")
        given = shape[0]


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
