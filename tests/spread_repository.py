"""Spread's models with a tiny graph in the place of the network: a region's value is its mean red, in 0-1."""

import shutil
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor

REPOSITORY = Path(__file__).parent.parent / "model_repository"
TILE_PX = 224
CONFIG = """
backend: "onnxruntime" max_batch_size: 8 dynamic_batching { }
input { name: "IMAGE" data_type: TYPE_UINT8 dims: [ 224, 224, 3 ] }
output { name: "VALUE" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "LAYER_VALUE" data_type: TYPE_FP32 dims: [ 13 ] }
output { name: "NETWORK" data_type: TYPE_INT32 dims: [ 1 ] }
"""


def tiny_repository(folder: Path) -> Path:
    """A copy of spread's models in `folder`, with a network."""
    for model in REPOSITORY.glob("spread_*"):
        shutil.copytree(
            model, folder / model.name, ignore=shutil.ignore_patterns("*.onnx", "passport.json", "__pycache__")
        )
    network = folder / "spread_network"
    (network / "1").mkdir(parents=True, exist_ok=True)
    (network / "1" / "model.onnx").write_bytes(mean_red())
    (network / "config.pbtxt").write_text(CONFIG)
    return folder


def mean_red() -> bytes:
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "byte"], ["share"]),
        helper.make_node("Transpose", ["share"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["planes"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "red"], ["sum"]),
        helper.make_node("Clip", ["sum", "least", "most"], ["VALUE"]),
        helper.make_node("Expand", ["VALUE", "layers"], ["LAYER_VALUE"]),
        helper.make_node("Shape", ["VALUE"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "one"], ["rows"], axis=0),
        helper.make_node("Expand", ["identity", "rows"], ["NETWORK"]),
    ]
    weights = {
        "byte": np.float32(1 / 255),
        "red": np.array([[1], [0], [0]], np.float32),
        "least": np.float32(0),
        "most": np.float32(1),
        "layers": np.array([1, 13]),
        "one": np.array([1]),
        "identity": np.array([[7654321]], np.int32),
    }
    outputs = [
        tensor("VALUE", TensorProto.FLOAT, "batch", 1),
        tensor("LAYER_VALUE", TensorProto.FLOAT, "batch", 13),
        tensor("NETWORK", TensorProto.INT32, "batch", 1),
    ]
    return graph(nodes, [tensor("IMAGE", TensorProto.UINT8, "batch", 224, 224, 3)], outputs, weights)
