"""A tiny model repository, made anew for each run, and one real server of it for all tests that do not harm it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor

from histoserve.deploy.local.triton import LocalTriton

Ask = Callable[..., dict[str, np.ndarray]]

WHERE = """
import os, sys, time
import numpy as np
import triton_python_backend_utils as pb_utils
import histoserve.deploy

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(pb_utils.get_input_tensor_by_name(request, "SECONDS").as_numpy()) for request in requests]

    def answer(self, seconds):
        time.sleep(float(seconds[0]))
        about = [sys.prefix, histoserve.deploy.__file__, np.__version__, os.environ.get("MARK", ""), os.getcwd()]
        about = pb_utils.Tensor("ABOUT", np.array([text.encode() for text in about], dtype=np.object_))
        return pb_utils.InferenceResponse([pb_utils.Tensor("PID", np.array([os.getpid()])), about])
"""
WHERE_TENSORS = """
max_batch_size: 0
input [ { name: "SECONDS" data_type: TYPE_FP32 dims: [1] } ]
output [ { name: "PID" data_type: TYPE_INT64 dims: [1] }, { name: "ABOUT" data_type: TYPE_STRING dims: [-1] } ]
"""
WHERE_STEP = """
platform: "ensemble"
ensemble_scheduling { step [ {
  model_name: "where" model_version: -1 input_map { key: "SECONDS" value: "SECONDS" }
  output_map { key: "PID" value: "PID" } output_map { key: "ABOUT" value: "ABOUT" }
} ] }
"""
BATCHED = """
backend: "onnxruntime"
max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 200000 }
instance_group [ { kind: KIND_CPU } ]
parameters { key: "intra_op_thread_count" value: { string_value: "1" } }
"""
CONVOLVED = 'input [ { name: "IMAGE" data_type: TYPE_FP32 dims: [3, -1, -1] } ]'
CONVOLVED += ' output [ { name: "SCORE" data_type: TYPE_FP32 dims: [4] } ]'
# The config promises any length, the graph takes 4.
NARROW = 'input [ { name: "ROW" data_type: TYPE_FP32 dims: [-1] } ]'
NARROW += ' output [ { name: "SUM" data_type: TYPE_FP32 dims: [1] } ]'
TABLE = 'default_model_filename: "table.onnx" input [ { name: "INDEX" data_type: TYPE_INT64 dims: [1] } ]'
TABLE += ' output [ { name: "VALUE" data_type: TYPE_FP32 dims: [1] } ]'
# A wrong name, a wrong dtype and a wrong rank.
MISFIT = 'input [ { name: "PICTURE" data_type: TYPE_UINT8 dims: [3, -1, -1] } ]'
MISFIT += ' output [ { name: "SCORE" data_type: TYPE_FP16 dims: [4, 4] } ]'


def convolving_graph() -> bytes:
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["IMAGE", "kernel"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mixing"], ["SCORE"]),
    ]
    weights = {
        "kernel": random.normal(size=(16, 3, 3, 3)).astype(np.float32),
        "mixing": random.normal(size=(16, 4)).astype(np.float32),
    }
    inputs = [tensor("IMAGE", TensorProto.FLOAT, "batch", 3, "height", "width")]
    return graph(nodes, inputs, [tensor("SCORE", TensorProto.FLOAT, "batch", 4)], weights)


def narrow_graph() -> bytes:
    nodes = [helper.make_node("MatMul", ["ROW", "ones"], ["SUM"])]
    inputs, outputs = [tensor("ROW", TensorProto.FLOAT, "batch", 4)], [tensor("SUM", TensorProto.FLOAT, "batch", 1)]
    return graph(nodes, inputs, outputs, {"ones": np.ones((4, 1), np.float32)})


def table_graph() -> bytes:
    nodes = [helper.make_node("Gather", ["table", "INDEX"], ["VALUE"])]
    inputs, outputs = [tensor("INDEX", TensorProto.INT64, "batch", 1)], [tensor("VALUE", TensorProto.FLOAT, "batch", 1)]
    return graph(nodes, inputs, outputs, {"table": np.array([10, 11, 12], np.float32)})


def add_model(repository: Path, name: str, config: str, file: str = "", content: bytes = b"") -> None:
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(config)
    if file:
        (repository / name / "1" / file).write_bytes(content)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: `where` alone and as the step of an ensemble, three sound ONNX models, and two that do not load."""
    folder = tmp_path_factory.mktemp("repository")
    add_model(folder, "where", 'backend: "python"' + WHERE_TENSORS, "model.py", WHERE.encode())
    add_model(folder, "where_step", WHERE_STEP + WHERE_TENSORS)
    add_model(folder, "convolving", BATCHED + CONVOLVED, "model.onnx", convolving_graph())
    add_model(folder, "narrow", BATCHED + NARROW, "model.onnx", narrow_graph())
    add_model(folder, "table", BATCHED + TABLE, "table.onnx", table_graph())
    add_model(folder, "misfit", BATCHED + MISFIT, "model.onnx", convolving_graph())
    add_model(folder, "broken", 'backend: "python"' + WHERE_TENSORS, "model.py", b"raise OSError('no weights here')")
    return folder


@pytest.fixture(scope="session")
def triton(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    """A server of the sound models."""
    state = tmp_path_factory.mktemp("state")
    models = ["where_step", "convolving", "narrow", "table"]
    with LocalTriton(repository, models=models, state=state, environment={"MARK": "given"}) as started:
        yield started


@pytest.fixture(scope="session")
def ask() -> Ask:
    """Send one request: `ask(server, model, NAME=array, …)` → outputs by name."""

    def ask(server: LocalTriton, model: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        dtypes = {"float32": "FP32", "int64": "INT64"}
        inputs = []
        for name, array in arrays.items():
            inputs.append(triton_grpc.InferInput(name, array.shape, dtypes[array.dtype.name]))
            inputs[-1].set_data_from_numpy(array)
        with triton_grpc.InferenceServerClient(server.grpc) as client:
            reply = client.infer(model, inputs, client_timeout=30)
        return {output.name: reply.as_numpy(output.name) for output in reply.get_response().outputs}

    return ask
