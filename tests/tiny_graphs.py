"""ONNX graphs of a few nodes, for tests that need some graph and not a network."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def graph(nodes: list, inputs: list, outputs: list, weights: dict[str, np.ndarray]) -> bytes:
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    made = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tensor(name: str, dtype: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)
