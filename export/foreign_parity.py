"""Does a graph from elsewhere compute, joined to a pipeline, what it does alone, with NumPy's arithmetic around it?"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from histoserve.export.foreign_file import declared, network_in
from histoserve.export.lower.gates import session_of
from histoserve.export.mapping import Input, Output, mapping_of
from histoserve.export.samples import ROWS
from histoserve.export.served import ServedGraph
from histoserve.export.verify import compare, verify_rows


def parity_with(path: Path, served: ServedGraph, graph: onnx.ModelProto) -> dict[str, Any]:
    """How near the joined graph is to the one in the file, whose pre- and post-arithmetic NumPy does here.

    GraphDiffers if it is too far, or a row depends on the rows beside it.
    """
    mapped = mapping_of(path)
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (ROWS, *served.example[0].shape[1:]), np.uint8)
    network = network_in(path)
    kind = declared(network.graph.input, mapped.input.tensor, path).type.tensor_type.elem_type
    given = {mapped.input.tensor: prepared(image, mapped.input).astype(helper.tensor_dtype_to_np_dtype(kind))}
    answers = session_of(network).run([each.tensor for each in mapped.outputs.values()], given)
    found = session_of(graph).run(list(served.outputs), {"IMAGE": image})
    far = {
        name: compare(name, ours, answered(theirs, output))
        for (name, output), ours, theirs in zip(mapped.outputs.items(), found, answers, strict=True)
    }
    verify_rows(graph, served.outputs, (image,))
    return {
        "compared_with": path.name,
        "largest_difference": {name: float(f"{each:.3g}") for name, each in far.items()},
    }


def prepared(image: NDArray[np.uint8], given: Input) -> NDArray[np.float32]:
    colours = image[..., ::-1] if given.colours == "BGR" else image
    numbers = colours.astype(np.float64)
    if given.mean is not None and given.deviation is not None:
        numbers = (numbers / 255 - given.mean) / given.deviation
    return (numbers.transpose(0, 3, 1, 2) if given.layout == "NCHW" else numbers).astype(np.float32)


def answered(array: NDArray, output: Output) -> NDArray[np.float32]:
    numbers = array.astype(np.float64)
    if output.activation == "softmax":
        raised = np.exp(numbers - numbers.max(-1, keepdims=True))
        numbers = raised / raised.sum(-1, keepdims=True)
    if output.activation == "sigmoid":
        numbers = 1 / (1 + np.exp(-numbers))
    if output.column is not None:
        numbers = numbers[..., [output.column]]
    return numbers.astype(np.float32)
