"""Sends a server requests that are wrong in every way: `python tests/bad_requests.py ADDRESS COUNT SEED`.

Each model's good request, one or two of its properties changed. After each hundred, good requests must be answered as
before. Prints, as JSON, how often each model answered with which gRPC status.

Not among them: shapes whose bytes do not fit in 63 bits, such as [2**62, 4]. Release 24.10 takes their overflow for
nothing to read, and its Python backend ends before a stage sees the request.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import grpc
import numpy as np
from mutants import NUMBERS, Rng, cell, mutated, seeds
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.grpc.model_config_pb2 import DataType
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor, triton_to_np_dtype

Arrays = dict[str, np.ndarray]
SIDE = 64
DTYPES = ("UINT8", "INT32", "INT64", "FP16", "FP32", "FP64", "BOOL", "BYTES", "BF16", "FP3", "")
LENGTHS = (0, 1, 2, 3, 4, 5, 16, 17, 33, 257, 5000)
ALLOWED = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED"}
TIMEOUT_S = 300.0
"""A loaded machine is no dead server."""


def good_requests() -> dict[str, Arrays]:
    """A right request to each model that can be asked, networks but for those within an ensemble left out."""
    rng = np.random.default_rng(0)
    ppm = cv2.imencode(".ppm", cell(SIDE))[1].tobytes()
    tile, where = np.array([ppm] * 2, object), np.array([[0, 0, SIDE, SIDE], [SIDE, 0, SIDE, SIDE]], np.float32)
    maps = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    maps[:, 20:40, 20:40] = 255, 0, 1
    rows = {"SCORE": rng.random((2, 3), np.float32), "FEATURE_MAP": rng.random((2, 64, 8, 8)).astype(np.float16)}
    rows["NETWORK"] = np.zeros((2, 1), np.int32)
    shares = np.array([[0.5, 0.25, 0.25], [1, 0, 0]], np.float32)
    floor = np.full(3, -1, np.float32)
    # 64 px are 128 µm for nuclei, 64 µm for peakmap, 512 µm for tissue.
    windows = {"TILE": tile, "REGION": where, "WINDOW": where}
    # Its windows are put together from parts of both pictures.
    between = np.array([[6, 0, SIDE, SIDE], [34, 0, SIDE, SIDE]], np.float32)
    return {
        "nuclei_tiles": {**windows, "MPP": np.array([2], np.float32), "CORE": where},
        # The rest of it are the rows that the tiles give: four nuclei, two in each tile.
        "nuclei_slide": {"CORE": where[[0, 0, 1, 1]]},
        "peakmap_tiles": {**windows, "MPP": np.array([1], np.float32), "FLOOR": floor},
        "peakmap_slide": {"TILE_REGION": where, **rows},
        "tissue_tiles": {**windows, "MPP": np.array([8], np.float32)},
        # The rest of it are the rows that the tiles give.
        "tissue_slide": {},
        "tissue_decode": {**windows, "SLIDE_MPP": np.array([8], np.float32)},
        "tissue_rows": {"PROBABILITY": shares, "REGION": where},
        "nuclei_decode": {**windows, "SLIDE_MPP": np.array([2], np.float32)},
        "peakmap_decode": {**windows, "WINDOW": between, "SLIDE_MPP": np.array([1], np.float32)},
        "nuclei_watershed": {"MAPS": maps, "WINDOW": where, "CORE": where},
        "peakmap_filter": {"REGION": where, **rows, "BOX": np.zeros((2, 4, 7), np.float32), "FLOOR": floor},
        "peakmap_select": {"REGION": where, **rows},
        "peakmap_pool": {
            "EMBEDDING": rng.random((3, 64), np.float32),
            "LOGIT": rng.random((3, 1), np.float32),
            "PEAK_INDEX": np.array([[0, -1], [1, 2], [2, 0]], np.int32),
        },
    }


def completed(stub: Any, good: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """With what the models' configs want besides, and without what they do not: rows from answers, else zeros."""
    result, rows = {}, {}
    for model, arrays in good.items():
        inputs = stub.ModelConfig(service_pb2.ModelConfigRequest(name=model)).config.input
        result[model] = {}
        for tensor in inputs:
            dtype = triton_to_np_dtype(DataType.Name(tensor.data_type).removeprefix("TYPE_").replace("STRING", "BYTES"))
            zeros = np.zeros([2 if size < 0 else size for size in tensor.dims], dtype)
            result[model][tensor.name] = arrays.get(tensor.name, rows.get(tensor.name, zeros))
        if model.endswith("_tiles"):
            rows = answered(stub, message(model, result[model]))
    return result


def answered(stub: Any, request: Any) -> Arrays:
    answer = stub.ModelInfer(request, timeout=TIMEOUT_S)
    pairs = zip(answer.outputs, answer.raw_output_contents, strict=True)
    return {
        each.name: np.frombuffer(raw, triton_to_np_dtype(each.datatype)).reshape(list(each.shape))
        for each, raw in pairs
    }


def message(model: str, arrays: Mapping[str, np.ndarray]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, array in arrays.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        raw = serialize_byte_tensor(array).item() if array.dtype == object and array.size else array.tobytes()
        request.raw_input_contents.append(raw)
    return request


def other_values(array: np.ndarray, rng: Rng) -> np.ndarray:
    """Some elements changed: mutated files, special numbers, or any bits."""
    if array.dtype == object:
        files = [file for form in seeds().values() for file in form]
        return np.array([mutated(files[rng.integers(len(files))], rng) for _ in array], object)
    array = array.copy()
    if rng.random() < 0.5 or not array.size:
        return np.frombuffer(rng.bytes(array.nbytes), array.dtype).reshape(array.shape)
    with np.errstate(all="ignore"):
        array.flat[rng.integers(array.size)] = np.float64(rng.choice(NUMBERS)).astype(array.dtype)
    return array


def other_length(array: np.ndarray, rng: Rng) -> np.ndarray:
    """More or fewer rows, or of another width, up to a few MB."""
    if not array.size:
        return array
    axis, length = int(rng.integers(array.ndim)), int(rng.choice(LENGTHS))
    length = length if array.size / max(1, array.shape[axis]) * length < 2**22 else 17
    return np.take(array, np.arange(length) % max(1, array.shape[axis]), axis)


def repeated(array: np.ndarray, length: int) -> np.ndarray:
    """Its first two rows again and again; what there is one of in a request stays."""
    return array if len(array) == 1 else np.take(array, np.arange(length) % 2, 0)


def lied(request: Any, rng: Rng) -> None:
    """The message itself: names, types, shapes and contents that do not fit each other."""
    index = int(rng.integers(len(request.inputs)))
    tensor, raw = request.inputs[index], request.raw_input_contents[index]
    kind = rng.integers(8)
    if kind == 0:
        tensor.datatype = str(rng.choice(DTYPES))
    elif kind == 1:
        tensor.shape[int(rng.integers(len(tensor.shape)))] = int(rng.choice((-1, 0, 2**31, 2**40)))
    elif kind == 2:
        tensor.shape[:] = [0, *(int(rng.choice((1, 3, 2**20))) for _ in tensor.shape[1:])]
        request.raw_input_contents[index] = b""
    elif kind == 3:
        tensor.shape[:] = [int(rng.integers(5)) for _ in range(rng.integers(6))]
    elif kind == 4:
        request.raw_input_contents[index] = raw[: int(rng.integers(len(raw) + 1))] + rng.bytes(int(rng.integers(9)))
    elif kind == 5:
        tensor.name = str(rng.choice(("", "X", "REGION", "TILE", "WINDOW", "é" * 300)))
    elif kind == 6:
        del request.inputs[index], request.raw_input_contents[index]
    else:
        request.outputs.add(name=str(rng.choice(("", "X", "IMAGE"))))


def bad_request(good: Mapping[str, Arrays], rng: Rng) -> Any:
    """May be right by chance, if its values are."""
    model = str(rng.choice(list(good)))
    arrays = dict(good[model])
    for _ in range(rng.integers(1, 3)):
        change: Callable[[np.ndarray, Rng], np.ndarray] = (other_values, other_length)[rng.integers(2)]
        name = str(rng.choice(list(arrays)))
        arrays[name] = change(arrays[name], rng)
    if rng.random() < 0.2:
        # All of the same length: the stage is reached.
        length = int(rng.choice(LENGTHS[:-2]))
        arrays = {key: repeated(array, length) for key, array in good[model].items()}
    request = message(model, arrays)
    if rng.random() < 0.4:
        lied(request, rng)
    request.model_version = str(rng.choice(("", "", "", "", "", "", "", "1", "9", "x")))
    return request


def status(stub: Any, request: Any) -> tuple[str, str]:
    try:
        stub.ModelInfer(request, timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def attacked(address: str, count: int, seed: int) -> dict[str, int]:
    """AssertionError at the first answer that blames the server, or at a good request that is answered otherwise."""
    rng, good, found = np.random.default_rng(seed), good_requests(), Counter[str]()
    with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        good = completed(stub, good)
        right = {model: stub.ModelInfer(message(model, good[model])).raw_output_contents for model in good}
        for number in range(count):
            request = bad_request(good, rng)
            code, details = status(stub, request)
            assert code in ALLOWED, f"seed {seed}, number {number}, {request.model_name}: {code} {details}"
            found[f"{request.model_name}: {code}"] += 1
            if number % 100 == 99:
                for model, outputs in right.items():
                    assert stub.ModelInfer(message(model, good[model])).raw_output_contents == outputs, model
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(json.dumps(attacked(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), indent=1))
