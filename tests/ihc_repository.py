"""ihc's models with a tiny graph in place of the network: what is dark is a nucleus, of tumour; brown is positive."""

import shutil
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor

REPOSITORY = Path(__file__).parent.parent / "model_repository"
MPP = 0.25
DARK = 170
"""Of the mean of red, green and blue: from here on no nucleus."""
CONFIG = f"""
backend: "onnxruntime" max_batch_size: 8 dynamic_batching {{ }}
input {{ name: "IMAGE" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] }}
output {{ name: "MAPS" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] }}
output {{ name: "NETWORK" data_type: TYPE_INT32 dims: [ 1 ] }}
parameters {{ key: "mpp" value {{ string_value: "{MPP}" }} }}
parameters {{ key: "types" value {{ string_value: "TYPES" }} }}
"""
TYPES = "tumour negative,tumour positive,other negative,other positive"


def tiny_repository(folder: Path) -> Path:
    """A copy of ihc's models in `folder`, with a network."""
    for model in REPOSITORY.glob("ihc_*"):
        shutil.copytree(
            model, folder / model.name, ignore=shutil.ignore_patterns("*.onnx", "passport.json", "__pycache__")
        )
    network = folder / "ihc_network"
    (network / "1").mkdir(parents=True, exist_ok=True)
    (network / "1" / "model.onnx").write_bytes(dark_and_brown())
    (network / "config.pbtxt").write_text(CONFIG.replace("TYPES", TYPES))
    return folder


def dark_and_brown() -> bytes:
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[3], keepdims=1),
        helper.make_node("Less", ["mean", "dark"], ["is_dark"]),
        helper.make_node("Where", ["is_dark", "full", "none"], ["foreground"]),
        helper.make_node("Mul", ["foreground", "none"], ["edge"]),
        helper.make_node("MatMul", ["float", "red_over_blue"], ["brownness"]),
        helper.make_node("Greater", ["brownness", "none"], ["is_brown"]),
        helper.make_node("Where", ["is_brown", "two", "one"], ["kind"]),
        helper.make_node("Concat", ["foreground", "edge", "kind"], ["maps"], axis=3),
        helper.make_node("Cast", ["maps"], ["MAPS"], to=TensorProto.UINT8),
        helper.make_node("Shape", ["IMAGE"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "ones"], ["rows"], axis=0),
        helper.make_node("Expand", ["identity", "rows"], ["NETWORK"]),
    ]
    weights = {
        "dark": np.float32(DARK),
        "full": np.float32(255),
        "none": np.float32(0),
        "red_over_blue": np.array([[1], [0], [-1]], np.float32),
        "one": np.float32(1),
        "two": np.float32(2),
        "ones": np.array([1]),
        "identity": np.array([[2468]], np.int32),
    }
    outputs = [
        tensor("MAPS", TensorProto.UINT8, "batch", "height", "width", 3),
        tensor("NETWORK", TensorProto.INT32, "batch", 1),
    ]
    image = tensor("IMAGE", TensorProto.UINT8, "batch", "height", "width", 3)
    return graph(nodes, [image], outputs, weights)
