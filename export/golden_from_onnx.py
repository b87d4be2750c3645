"""Makes a graph's golden outputs, by ONNX Runtime on a CPU."""

import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from histoserve.export.golden import BOUNDS, INPUT, OUTPUT, ROWS, larger, rows_of, sampled
from histoserve.export.golden_pictures import golden_pictures
from histoserve.export.lower.gates import chosen_outputs, session_of


@dataclass(frozen=True)
class Golden:
    """What is kept."""

    content: bytes
    """Of the file"""
    said: dict[str, Any]
    """In the passport"""


def golden_from_onnx(graph: onnx.ModelProto, side: int, precision: str) -> Golden:
    """Free axes but the first are `side`; outputs that follow from a ranking are left out."""
    chosen = chosen_outputs(graph)
    judged = [tensor.name for tensor in graph.graph.output if tensor.name not in chosen]
    shapes = {tensor.name: shape_of(tensor, side) for tensor in graph.graph.input}
    pictures = [each for name, each in shapes.items() if is_picture(graph, name, each)]
    times = 2 if all(shape[1] % 2 == 0 for shape in pictures) else 1
    kept = {
        name: golden_pictures(shape[1] // times) if shape in pictures else noise(graph, name, shape)
        for name, shape in shapes.items()
    }
    rows = ROWS if all(shape[0] == ROWS for shape in shapes.values()) else 1
    session, given = session_of(graph), {name: larger(array, times) for name, array in kept.items()}
    answers = [session.run(judged, request) for request in rows_of(given, rows)]
    outputs = [np.concatenate(each) if rows > 1 else each[0] for each in zip(*answers, strict=True)]
    arrays = {INPUT + name: array for name, array in kept.items()}
    arrays |= {OUTPUT + name: sampled(array) for name, array in zip(judged, outputs, strict=True)}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return Golden(file.getvalue(), {"rows": rows, "times": times, "bounds": asdict(BOUNDS[precision])})


def shape_of(tensor: onnx.ValueInfoProto, side: int) -> tuple[int, ...]:
    first, *others = [axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
    return (first or ROWS, *(each or side for each in others))


def element_type(graph: onnx.ModelProto, name: str) -> int:
    return next(int(each.type.tensor_type.elem_type) for each in graph.graph.input if each.name == name)


def is_picture(graph: onnx.ModelProto, name: str, shape: tuple[int, ...]) -> bool:
    square = len(shape) == 4 and shape[0] == ROWS and shape[1] == shape[2] and shape[3] == 3
    return square and element_type(graph, name) == TensorProto.UINT8


def noise(graph: onnx.ModelProto, name: str, shape: tuple[int, ...]) -> NDArray:
    """Seeded, in steps of an eighth, which are small in a file."""
    drawn = np.round(np.random.default_rng(0).normal(0, 1, shape) * 8) / 8
    return drawn.astype(onnx.helper.tensor_dtype_to_np_dtype(element_type(graph, name)))
