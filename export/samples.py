"""What a graph is compared with PyTorch on before it is delivered."""

import numpy as np
import torch

from histoserve.export.served import ServedGraph

SIDES = (64, 128)
"""Sizes, divisible by 32, at which a graph is compared with PyTorch before it is delivered."""
ROWS = 5
"""An odd number, for kernels that take rows in pairs or fours."""


def samples(served: ServedGraph) -> list[tuple[np.ndarray, ...]]:
    """Seeded noise of two sizes in the shape of the example, `ROWS` a batch; real tiles are compared in the tests."""
    random = np.random.default_rng(0)
    result = []
    for side in SIDES:
        arrays = []
        for name, tensor in zip(served.inputs, served.example, strict=True):
            free = served.dynamic.get(name, {})
            sizes = {axis: side if axis else ROWS for axis in free}
            shape = [sizes.get(axis, extent) for axis, extent in enumerate(tensor.shape)]
            array = random.integers(0, 256, shape) if tensor.dtype == torch.uint8 else random.normal(0, 1, shape)
            arrays.append(array.astype(tensor.numpy().dtype))
        result.append(tuple(arrays))
    return result
