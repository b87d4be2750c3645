from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from histoserve.deploy.local.backends.onnxruntime.batch import run_merged
from histoserve.deploy.local.backends.onnxruntime.contract import mismatches, shape_mismatch
from histoserve.deploy.local.backends.onnxruntime.pieces import rows_at_once, run_in_pieces
from histoserve.deploy.local.backends.onnxruntime.session import execution_providers, graph_file, session_options
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

CPU = ("CPUExecutionProvider", {})
AVAILABLE = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def together(ask, triton, model, requests):
    """The outcome of each request, all of them sent at once."""
    with ThreadPoolExecutor(len(requests)) as pool:
        futures = [pool.submit(ask, triton, model, **request) for request in requests]
    return [future.exception() or future.result() for future in futures]


def runs_of(triton, model: str) -> tuple[int, int]:
    """Rows served and executions, so far."""
    with triton_grpc.InferenceServerClient(triton.grpc) as client:
        statistics = client.get_inference_statistics(model).model_stats[0]
    return statistics.inference_count, statistics.execution_count


def test_merged_requests_give_the_bits_of_a_batch_of_one(triton, ask, repository) -> None:
    images = np.random.default_rng(1).normal(size=(13, 3, 24, 24)).astype(np.float32)
    session = ort.InferenceSession(str(repository / "convolving" / "1" / "model.onnx"))
    alone = np.concatenate([session.run(["SCORE"], {"IMAGE": image[None]})[0] for image in images])
    before = runs_of(triton, "convolving")

    parts = np.split(images, [1, 3, 6, 7, 11])
    merged = together(ask, triton, "convolving", [{"IMAGE": part} for part in parts])

    rows, runs = np.subtract(runs_of(triton, "convolving"), before)
    assert rows == 13
    assert runs < len(parts)
    np.testing.assert_array_equal(np.concatenate([result["SCORE"] for result in merged]), alone)


def test_requests_of_different_shapes_are_answered_each(triton, ask) -> None:
    sizes = [8, 9, 8, 12]
    images = [np.ones((1, 3, size, size), np.float32) for size in sizes]

    results = together(ask, triton, "convolving", [{"IMAGE": image} for image in images])

    for result in results:
        np.testing.assert_allclose(result["SCORE"], results[0]["SCORE"], rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "name", "array", "words"),
    [
        ("convolving", "IMAGE", np.ones((1, 4, 8, 8), np.float32), "unexpected shape for input 'IMAGE'"),
        ("convolving", "IMAGE", np.ones((1, 3, 8, 8), np.int64), "inference input 'IMAGE' data-type is 'INT64'"),
        ("narrow", "ROW", np.ones((2, 5), np.float32), r"input ROW: wanted shape \[-1, 4\], got \[2, 5\]"),
    ],
)
def test_what_the_graph_cannot_take_is_an_invalid_argument(triton, ask, model, name, array, words) -> None:
    with pytest.raises(InferenceServerException, match=words) as failure:
        ask(triton, model, **{name: array})

    assert failure.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_a_request_that_the_graph_fails_on_fails_alone_and_tells_nothing(triton, ask) -> None:
    good, bad, last = together(ask, triton, "table", [{"INDEX": np.array([[index]])} for index in (0, 99, 2)])

    assert (good["VALUE"], last["VALUE"]) == (10, 12)
    assert bad.status() == "StatusCode.INTERNAL"
    assert bad.message() == "model table failed on this request; the server's log says why"
    assert "indices element out of data bounds, idx=99" in triton.log.read_text()


def test_a_graph_that_does_not_fit_its_config_does_not_load(repository, tmp_path) -> None:
    with pytest.raises(LocalTritonError) as failure:
        LocalTriton(repository, models=["misfit"], state=tmp_path).start()

    message = str(failure.value)
    assert "failed to load 'misfit'" in message
    assert "input PICTURE: the graph has none of that name, it has IMAGE TYPE_FP32 [-1, 3, -1, -1]" in message
    assert "output SCORE: the config says TYPE_FP16, the graph TYPE_FP32" in message
    assert "output SCORE: the config says [-1, 4, 4] with the batch axis" in message


def tensor(name: str, onnx_type: str, *shape) -> SimpleNamespace:
    return SimpleNamespace(name=name, type=onnx_type, shape=shape)


def promised(name: str, dtype: str, *dims: int) -> dict:
    return {"name": name, "data_type": dtype, "dims": list(dims)}


@pytest.mark.parametrize(
    ("batch", "dims", "shape", "reason"),
    [
        (8, [3], ("N", 3), None),
        (8, [-1], ("N", 3), None),
        (8, [3], ("N", "length"), None),
        (0, [-1, 3], (None, 3), None),
        (0, [1, 3], (1, 3), None),
        (8, [3], (1, 3), "the graph's first axis is always 1"),
        (8, [3], ("N", 4), "the config says [-1, 3] with the batch axis that max_batch_size adds, the graph [-1, 4]"),
        (0, [3], ("N", 3), "the config says [3], the graph [-1, 3]"),
    ],
)
def test_a_config_fits_a_graph(batch, dims, shape, reason) -> None:
    config = {"max_batch_size": batch, "input": [promised("X", "TYPE_FP32", *dims)], "output": []}

    found = mismatches(config, [tensor("X", "tensor(float)", *shape)], [], [])

    assert len(found) == (reason is not None)
    assert reason is None or reason in found[0]


def test_an_input_that_only_the_graph_has_is_a_mismatch_unless_it_has_a_default() -> None:
    config = {"input": [promised("BIAS", "TYPE_FP32", 1)], "output": []}
    needed = tensor("X", "tensor(uint8)", 2)

    assert mismatches(config, [needed], [], ["BIAS"]) == [
        "the graph needs the input X TYPE_UINT8 [2], which the config does not have"
    ]


def test_a_shape_fits_the_axes_that_the_graph_fixes() -> None:
    image = tensor("IMAGE", "tensor(float)", "N", 3, None)

    assert shape_mismatch(image, (7, 3, 5)) is None
    assert shape_mismatch(image, (7, 4, 5)) == "input IMAGE: wanted shape [-1, 3, -1], got [7, 4, 5]"
    assert shape_mismatch(image, (7, 3)) == "input IMAGE: wanted shape [-1, 3, -1], got [7, 3]"


def test_requests_merge_by_shape_up_to_the_largest_batch() -> None:
    sizes = []

    def run(arrays):
        sizes.append(arrays["X"].shape)
        return {"Y": arrays["X"].sum(axis=1)}

    requests = [{"X": np.full((rows, width), rows)} for rows, width in [(2, 3), (1, 4), (1, 3), (2, 3), (1, 3)]]
    results = run_merged(requests, run, max_batch_size=4)

    assert sizes == [(3, 3), (1, 4), (3, 3)] or sorted(sizes) == [(1, 4), (3, 3), (3, 3)]
    assert [result["Y"].tolist() for result in results] == [[6, 6], [4], [3], [6, 6], [3]]


def test_without_a_batch_axis_each_request_runs_alone() -> None:
    requests = [{"X": np.arange(3)}, {"X": np.arange(3)}]

    results = run_merged(requests, lambda arrays: {"Y": arrays["X"].max(keepdims=False)}, max_batch_size=0)

    assert results == [{"Y": 2}, {"Y": 2}]


def test_a_run_whose_rows_do_not_belong_to_requests_is_repeated_one_by_one() -> None:
    requests = [{"X": np.array([1.0, 2.0])}, {"X": np.array([3.0])}]

    results = run_merged(requests, lambda arrays: {"Y": arrays["X"].sum(keepdims=True)}, max_batch_size=8)

    assert [result["Y"].tolist() for result in results] == [[3.0], [3.0]]


@pytest.mark.parametrize(
    ("kind", "available", "expected"),
    [
        ("CPU", AVAILABLE, [CPU]),
        ("GPU", ["CPUExecutionProvider"], [CPU]),
        ("GPU", AVAILABLE, [("CUDAExecutionProvider", {"device_id": "2", "gpu_mem_limit": "9"}), CPU]),
        ("AUTO", AVAILABLE, [("CUDAExecutionProvider", {"device_id": "2", "gpu_mem_limit": "9"}), CPU]),
    ],
)
def test_a_gpu_instance_runs_on_cuda_where_there_is_one(kind, available, expected) -> None:
    config = {"parameters": {"gpu_mem_limit": {"string_value": "9"}}}

    assert execution_providers(config, kind, 2, available) == expected


def test_tensorrt_comes_first_where_the_config_asks_for_it() -> None:
    accelerator = {"name": "tensorrt", "parameters": {"precision_mode": "FP16", "max_workspace_size_bytes": "5"}}
    config = {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}}

    first, second, _ = execution_providers(config, "GPU", 0, AVAILABLE)

    options = {"device_id": "0", "trt_max_workspace_size": "5", "trt_fp16_enable": "1"}
    assert first == ("TensorrtExecutionProvider", options)
    assert second == ("CUDAExecutionProvider", {"device_id": "0"})


@pytest.mark.parametrize(
    ("group", "name", "parameters", "words"),
    [
        ("gpu_execution_accelerator", "tensorRT", {}, "wanted one of tensorrt, cuda, got 'tensorRT'"),
        ("cpu_execution_accelerator", "tensorrt", {}, "wanted one of openvino, got 'tensorrt'"),
        ("gpu_execution_accelerator", "tensorrt", {"fp16": "1"}, "precision_mode.* got 'fp16'"),
    ],
)
def test_an_accelerator_that_the_backend_of_a_cluster_refuses_is_refused(group, name, parameters, words) -> None:
    config = {"optimization": {"execution_accelerators": {group: [{"name": name, "parameters": parameters}]}}}

    with pytest.raises(ValueError, match=words):
        execution_providers(config, "CPU", 0, AVAILABLE)


def test_session_options_are_those_of_the_config() -> None:
    parameters = {"intra_op_thread_count": "3", "execution_mode": "1", "enable_mem_arena": "0", "mpp": "0.25"}
    config = {
        "optimization": {"graph": {"level": 2}},
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
    }

    options = session_options(config)

    assert options.intra_op_num_threads == 3
    assert options.execution_mode == ort.ExecutionMode.ORT_PARALLEL
    assert options.graph_optimization_level == ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern


@pytest.mark.parametrize(("key", "value"), [("intra_op_thread_count", "two"), ("execution_mode", "2")])
def test_a_setting_that_does_not_exist_is_refused_by_name(key, value) -> None:
    with pytest.raises(ValueError, match=rf"{key}: wanted .* got '{value}'"):
        session_options({"parameters": {key: {"string_value": value}}})


def test_the_graph_is_the_configs_file_or_a_folder_of_its_own(tmp_path) -> None:
    (tmp_path / "net").mkdir()

    assert graph_file(tmp_path, {"default_model_filename": "net"}) == tmp_path / "net" / "model.onnx"
    assert graph_file(tmp_path, {"default_model_filename": "a.onnx"}) == tmp_path / "a.onnx"
    assert graph_file(tmp_path, {}) == tmp_path / "model.onnx"


def pieces_of(arrays, rows) -> tuple[list[int], np.ndarray]:
    """How many rows each run got, and the result."""
    seen = []

    def run(piece):
        seen.append(len(piece["X"]))
        return {"Y": piece["X"].sum(axis=1, dtype=np.int64)}

    return seen, run_in_pieces(run, arrays, rows)["Y"]


@pytest.mark.parametrize(
    ("shape", "rows", "pieces"),
    [
        ((7, 3), 3, [3, 3, 1]),
        ((7, 3), 0, [7]),
        ((7, 3), 7, [7]),
        ((7, 3), None, [7]),
        ((5, 512, 512, 3), None, [2, 2, 1]),
        ((2, 3072, 3072), None, [1, 1]),
        ((0, 512, 512, 3), None, [0]),
    ],
)
def test_a_batch_goes_through_in_pieces_of_so_many_rows_or_values(shape, rows, pieces) -> None:
    arrays = {"X": np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)}

    seen, result = pieces_of(arrays, rows)

    assert seen == pieces
    np.testing.assert_array_equal(result, arrays["X"].sum(axis=1, dtype=np.int64))


@pytest.mark.parametrize(
    ("config", "rows"),
    [
        ({"max_batch_size": 8, "dynamic_batching": {}}, None),
        ({"max_batch_size": 8, "dynamic_batching": {}, "parameters": {"cpu_rows_at_once": {"string_value": "2"}}}, 2),
        # Its rows may depend on each other.
        ({"max_batch_size": 8}, 0),
        ({"max_batch_size": 0}, 0),
    ],
)
def test_the_config_says_what_may_be_parted(config, rows) -> None:
    assert rows_at_once(config) == rows


def test_a_number_of_rows_that_is_none_is_refused() -> None:
    parameters = {"cpu_rows_at_once": {"string_value": "few"}}
    config = {"max_batch_size": 8, "dynamic_batching": {}, "parameters": parameters}

    with pytest.raises(ValueError, match="cpu_rows_at_once: wanted a number of rows, 0 for all, got 'few'"):
        rows_at_once(config)
