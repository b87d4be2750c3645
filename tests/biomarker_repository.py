"""Biomarker's models with tiny graphs in the place of the networks: a tile's readings are its mean colours, in 0-1.

Tumour is what is not green. They wait in `biomarker_models` for trained networks, with which they go to
`model_repository`.
"""

import shutil
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor

REPOSITORY = Path(__file__).with_name("biomarker_models")
TILE_PX, MPP = 1024, 0.3
MARKERS = ("Ki67", "ER", "PR", "HER2")
COLOURS = {"Ki67": (1, 0, 0), "ER": (0, 1, 0), "PR": (0, 0, 1), "HER2": (0.5, 0.5, 0)}
"""Of red, green and blue, what a marker's reading is made of."""
CONFIG = """
backend: "onnxruntime" max_batch_size: 4 dynamic_batching { }
input { name: "IMAGE" data_type: TYPE_UINT8 dims: [ 1024, 1024, 3 ] }
output { name: "READING" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "TUMOUR" data_type: TYPE_FP32 dims: [ 1 ] }
output { name: "NETWORK" data_type: TYPE_INT32 dims: [ 1 ] }
parameters { key: "mpp" value { string_value: "0.3" } }
"""


def stages(folder: Path) -> Path:
    """A copy of biomarker's models in `folder`, without the networks."""
    for model in REPOSITORY.glob("biomarker_*"):
        if not model.name.endswith("_network"):
            shutil.copytree(model, folder / model.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def tiny_repository(folder: Path, **parameters: str) -> Path:
    """With networks, and these parameters of `biomarker_slide` set otherwise."""
    stages(folder)
    for number, (marker, weights) in enumerate(COLOURS.items()):
        put_network(folder, marker, mean_colour(weights, 1000 + number))
    slide = folder / "biomarker_slide" / "config.pbtxt"
    text = slide.read_text()
    for name, value in parameters.items():
        before, _, rest = text.partition(f'parameters {{ key: "{name}" value {{ string_value: "')
        text = f'{before}parameters {{ key: "{name}" value {{ string_value: "{value}"{rest[rest.index(chr(34)) + 1 :]}'
    slide.write_text(text)
    return folder


def put_network(folder: Path, marker: str, content: bytes) -> None:
    network = folder / f"biomarker_{marker.lower()}_network"
    (network / "1").mkdir(parents=True, exist_ok=True)
    (network / "1" / "model.onnx").write_bytes(content)
    (network / "config.pbtxt").write_text(CONFIG)


def mean_colour(of: tuple[float, float, float], identity: int) -> bytes:
    nodes = [
        helper.make_node("Cast", ["IMAGE"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("GlobalAveragePool", ["planes"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["colour"]),
        helper.make_node("MatMul", ["colour", "weights"], ["sum"]),
        helper.make_node("Clip", ["sum", "least", "most"], ["READING"]),
        helper.make_node("MatMul", ["colour", "green"], ["greenness"]),
        helper.make_node("Sub", ["most", "greenness"], ["TUMOUR"]),
        helper.make_node("Shape", ["READING"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "one"], ["rows"], axis=0),
        helper.make_node("Expand", ["identity", "rows"], ["NETWORK"]),
    ]
    weights = {
        "weights": np.array([[each / 255] for each in of], np.float32),
        "green": np.array([[0], [1 / 255], [0]], np.float32),
        "least": np.float32(0),
        "most": np.float32(1),
        "one": np.array([1]),
        "identity": np.array([[identity]], np.int32),
    }
    answers = [tensor(name, TensorProto.FLOAT, "batch", 1) for name in ("READING", "TUMOUR")]
    outputs = [*answers, tensor("NETWORK", TensorProto.INT32, "batch", 1)]
    return graph(nodes, [tensor("IMAGE", TensorProto.UINT8, "batch", 1024, 1024, 3)], outputs, weights)
