"""Does the exported graph compute what the PyTorch module computes, and each row of a batch as it does alone?"""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

LEVELS = 1
"""A byte may differ by one level: the same real number rounded from the two sides of a half."""
OUTLIERS = 1e-4
"""Share of bytes that may differ by more: an arg max between two nearly equal logits picks a whole other number."""
RELATIVE = 1e-3
"""Of float outputs, against the largest: both sum the same float32 products, in another order."""


class GraphDiffers(ValueError):
    """The graph does not compute what the module does."""


def compare(name: str, graph: np.ndarray, module: np.ndarray) -> float:
    """The largest difference between two outputs; GraphDiffers if it is beyond rounding."""
    if graph.shape != module.shape or graph.dtype != module.dtype:
        ours, theirs = (f"{array.dtype} {list(array.shape)}" for array in (graph, module))
        raise GraphDiffers(f"{name}: the graph gives {ours}, PyTorch gives {theirs}")
    difference = np.abs(graph.astype(np.float64) - module.astype(np.float64))
    if graph.dtype == np.uint8:
        share = float((difference > LEVELS).mean())
        if share > OUTLIERS:
            raise GraphDiffers(
                f"{name}: {share:.2%} of the bytes differ by more than {LEVELS}, at most {OUTLIERS:.2%} may"
            )
    elif difference.max(initial=0) > RELATIVE * np.abs(module).max(initial=1e-6):
        raise GraphDiffers(f"{name}: differs by {difference.max():.3g}, values reach {np.abs(module).max():.3g}")
    return float(difference.max(initial=0))


def verify(
    graph: onnx.ModelProto, module: nn.Module, names: Sequence[str], samples: Sequence[tuple[np.ndarray, ...]]
) -> dict[str, float]:
    """Runs both on each sample (inputs in the graph's order); the largest difference of each output in `names`."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = [tensor.name for tensor in session.get_inputs()]
    largest = dict.fromkeys(names, 0.0)
    for sample in samples:
        found = session.run(list(names), dict(zip(inputs, sample, strict=True)))
        with torch.no_grad():
            wanted = module.eval()(*(torch.from_numpy(array) for array in sample))
        wanted = (wanted,) if isinstance(wanted, torch.Tensor) else wanted
        for name, one, other in zip(names, found, wanted, strict=True):
            largest[name] = max(largest[name], compare(name, one, other.numpy()))
    return largest


def verify_rows(graph: onnx.ModelProto, names: Sequence[str], sample: tuple[np.ndarray, ...]) -> None:
    """GraphDiffers unless each row of `sample` gives, to the last bit, what it gives alone.

    A server batches requests as they come, so otherwise a slide's result would depend on what else it is doing.
    """
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = [tensor.name for tensor in session.get_inputs()]
    whole = session.run(list(names), dict(zip(inputs, sample, strict=True)))
    for row in range(len(sample[0])):
        alone = session.run(list(names), {name: each[row : row + 1] for name, each in zip(inputs, sample, strict=True)})
        for name, one, other in zip(names, alone, whole, strict=True):
            if one.tobytes() != other[row : row + 1].tobytes():
                raise GraphDiffers(
                    f"{name}: row {row} of {len(other)} differs from the same row alone: ONNX Runtime adds up in"
                    " another order there, as in a ReduceMean over pixels; an average pooling is the same everywhere"
                )
