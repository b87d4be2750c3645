"""A float32 graph → the same with its trunk in 8-bit integers, by ONNX Runtime's quantisation.

    before    Conv ─▶ Relu ─▶ Conv
    after     Quantize ─▶ Dequantize ─▶ Conv (int8 weights, a scale a channel) ─▶ Relu ─▶ Quantize ─▶ Dequantize ─▶ Conv

Ranges are the widest seen on real tiles. Zero is 0 throughout and a bias stays float32, as TensorRT asks; a processor
with VNNI runs the same graph as well. The first layer sees the picture itself and stays float32.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from histoserve.export.lower.trunk import PRODUCTS


class NoIntegers(ValueError):
    """The graph has no form in integers."""


class Tiles(CalibrationDataReader):  # type: ignore[misc]
    """Real tiles, one at a time, as the quantisation asks for them."""

    def __init__(self, name: str, tiles: NDArray[np.uint8]):
        self.feeds: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: tile[None]} for tile in tiles])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self.feeds, None)


def quantised(graph: onnx.ModelProto, trunk: set[int], tiles: NDArray[np.uint8]) -> onnx.ModelProto:
    """The graph with the nodes of `trunk` in int8, calibrated on `tiles` (N, side, side, 3); NoIntegers for none."""
    nodes = graph.graph.node
    if not len(tiles):
        raise NoIntegers("two real tiles or more are wanted, one to calibrate on and another to be judged by")
    products = [place for place in sorted(trunk) if nodes[place].op_type in PRODUCTS]
    if len(products) < 2:
        raise NoIntegers("there is no convolution or product of weights in it but the first, so nothing to quantise")
    named = onnx.ModelProto()
    named.CopyFrom(graph)
    for place, node in enumerate(named.graph.node):
        node.name = node.name or f"node_{place}"
    with tempfile.TemporaryDirectory() as folder, without_advice():
        path = Path(folder) / "model.onnx"
        quantize_static(
            named,
            path,
            Tiles(graph.graph.input[0].name, tiles),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[named.graph.node[place].name for place in sorted(trunk - {products[0]})],
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )
        result = onnx.load(path)
    del result.metadata_props[:], result.graph.value_info[:]
    result.metadata_props.extend(graph.metadata_props)
    return result


@contextmanager
def without_advice() -> Iterator[None]:
    """ONNX Runtime advises to fold and to infer shapes first, which the export has done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
