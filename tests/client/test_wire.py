"""One server over real gRPC, which here is a servicer in this process."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.client import wire
from histoserve.client.contract import TILES_TAKE
from histoserve.client.errors import HistoserveError, Internal, NoAnswer, Refused, ServerError, Unavailable, WrongUsage
from histoserve.client.wire import Server

MODELS: dict[str, dict[str, Any]] = {
    "x_tiles": {
        "ensemble_scheduling": {"step": [{"model_name": "x_network"}]},
        "input": [{"name": name} for name in TILES_TAKE],
    },
    "x_network": {"max_batch_size": 16, "parameters": {"mpp": {"string_value": "0.25"}}},
    "x_slide": {},
}


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Serves MODELS; answers a request with its inputs, or with `refusal`."""

    refusal: tuple[Any, str] | None = None
    spoilt = False
    datatype: Any = None
    """Of the answer, if not that of the request."""

    breaks, times = "", 0
    """A question at which the connection breaks, and how many times more."""

    def _breaks(self, question: str, context: Any) -> None:
        if question == self.breaks and self.times:
            self.times -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "Stream removed (recvmsg:Connection reset by peer (104))")

    def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerMetadataResponse(name="triton", version="2.51.0")

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._breaks("ModelReady", context)
        return service_pb2.ModelReadyResponse(ready=request.name in MODELS)

    def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.RepositoryIndexResponse(models=[{"name": name} for name in MODELS])

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._breaks("ModelConfig", context)
        return service_pb2.ModelConfigResponse(config=MODELS[request.name])

    def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._breaks("ModelMetadata", context)
        return service_pb2.ModelMetadataResponse(name=request.name, versions=["9", "10"])

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refusal:
            context.abort(*self.refusal)
        answer = service_pb2.ModelInferResponse()
        for each, raw in zip(request.inputs, request.raw_input_contents, strict=True):
            as_bytes = each.datatype == "BYTES"
            kind = "UINT8" if as_bytes else each.datatype
            kind = kind if self.datatype is None else self.datatype
            shape = [len(raw)] if as_bytes else each.shape
            answer.outputs.add(name=each.name, datatype=kind, shape=shape)
            answer.raw_output_contents.append(raw[self.spoilt :])
        return answer


@pytest.fixture
def triton() -> Iterator[tuple[Triton, Server]]:
    """The servicer and a connection to it."""
    servicer = Triton()
    running = grpc.server(ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, running)
    connection = Server(f"127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}")
    running.start()
    yield servicer, connection
    connection.close()
    running.stop(None)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int32, bool])
@pytest.mark.parametrize("shape", [(3, 4), (0, 4)])
def test_arrays_travel_there_and_back(triton: tuple[Triton, Server], dtype: type, shape: tuple[int, int]) -> None:
    array: Any = np.arange(np.prod(shape)).reshape(shape).astype(dtype)

    answer = triton[1].infer("x_tiles", {"A": array, "B": array.T}, timeout=5)

    assert answer["A"].dtype == dtype
    np.testing.assert_array_equal(answer["A"], array)
    np.testing.assert_array_equal(answer["B"], array.T)


def test_bytes_travel_as_triton_wants_them(triton: tuple[Triton, Server]) -> None:
    answer = triton[1].infer("x_tiles", {"TILE": [b"ab", b"", b"\0" * 300]}, timeout=5)

    assert answer["TILE"].tobytes() == b"\2\0\0\0ab" + b"\0\0\0\0" + b"\x2c\1\0\0" + b"\0" * 300
    assert triton[1].infer("x_tiles", {"TILE": []}, timeout=5)["TILE"].shape == (0,)


def test_the_contract_is_read_from_the_configs(triton: tuple[Triton, Server]) -> None:
    contract = triton[1].contract("x")

    assert (contract.mpp, contract.max_batch, contract.inputs) == (0.25, 16, TILES_TAKE)
    assert {(each.name, each.version) for each in contract.models} == {(name, "10") for name in MODELS}


@pytest.mark.parametrize("question", ["ModelReady", "ModelConfig", "ModelMetadata"])
@pytest.mark.parametrize("times", [1, 2, 9])
def test_a_connection_that_breaks_between_two_questions_is_made_anew(
    triton: tuple[Triton, Server], monkeypatch: pytest.MonkeyPatch, question: str, times: int
) -> None:
    monkeypatch.setattr(wire, "CONTRACT_PAUSES", (0.01, 0.01))
    servicer, server = triton
    servicer.breaks, servicer.times = question, times
    if times < 3:
        assert server.contract("x").mpp == 0.25
    else:
        with pytest.raises(NoAnswer, match="Stream removed"):
            server.contract("x")
    assert times - servicer.times == min(times, 3)


def test_a_missing_pipeline_lists_those_there_are(triton: tuple[Triton, Server]) -> None:
    with pytest.raises(ServerError, match=r"does not serve nuclei_tiles.*the pipelines x\."):
        triton[1].contract("nuclei")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.INTERNAL, Internal),
        (grpc.StatusCode.INVALID_ARGUMENT, Refused),
        (grpc.StatusCode.NOT_FOUND, ServerError),
    ],
)
def test_failures_say_whose_they_are(triton: tuple[Triton, Server], code: Any, kind: type[HistoserveError]) -> None:
    triton[0].refusal = code, "TILE 3 is no image"

    with pytest.raises(ServerError, match=r"x_tiles: .*TILE 3 is no image") as caught:
        triton[1].infer("x_tiles", {}, timeout=5)
    assert caught.type is kind


def test_an_answer_that_does_not_fit_its_shape_is_refused(triton: tuple[Triton, Server]) -> None:
    triton[0].spoilt = True

    with pytest.raises(ServerError, match=r"output A came as UINT8 \[3\] in 2 bytes"):
        triton[1].infer("x_tiles", {"A": np.zeros(3, np.uint8)}, timeout=5)


@pytest.mark.parametrize("datatype", ["BYTES", "BF16", "FP7", ""])
def test_an_answer_of_a_type_that_no_row_has_is_refused(triton: tuple[Triton, Server], datatype: str) -> None:
    triton[0].datatype = datatype

    with pytest.raises(ServerError, match=rf"output A came as {datatype} \[1\] in 8 bytes"):
        triton[1].infer("x_tiles", {"A": np.zeros(1, np.int64)}, timeout=5)


def test_a_closed_connection_is_unavailable(triton: tuple[Triton, Server]) -> None:
    triton[1].close()

    with pytest.raises(Unavailable):
        triton[1].infer("x_tiles", {}, timeout=5)


def test_nothing_at_the_address_is_told_quickly() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()

    with pytest.raises(ServerError, match=rf"No Triton server answers at {address}.*gRPC port"):
        Server(address).contract("x")
    # Sooner than a request may wait by far, on a busy machine too.
    assert time.monotonic() - start < 60


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(ServerError, match="No Triton server answers"):
            Server(f"127.0.0.1:{silent.getsockname()[1]}").contract("x")

    # Sooner than a request may wait by far, on a busy machine too.
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("address", ["localhost", "http://localhost:8000", "localhost:", ":8001", "a:99999", "a:b"])
def test_what_is_no_address_is_wrong_usage(address: str) -> None:
    with pytest.raises(WrongUsage, match="HOST:PORT"):
        Server(address)
