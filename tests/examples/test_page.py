"""What the integrators' page says goes wrong first, asked of the session's server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.deploy.local.triton import LocalTriton

PAGE = (Path(__file__).parents[2] / "docs/integrators.md").read_text()
SQUARE = np.array([[0, 0, 512, 512]], np.float32)


def request(windows: int = 1, mpp: tuple[float, ...] = (0.25,), with_length: bool = True) -> Any:
    """Of as many windows of one white picture."""
    picture = cv2.imencode(".png", np.full((64, 64, 3), 255, np.uint8))[1].tobytes()
    made = service_pb2.ModelInferRequest(model_name="nuclei_tiles")
    made.inputs.add(name="TILE", datatype="BYTES", shape=[1])
    made.raw_input_contents.append((len(picture).to_bytes(4, "little") if with_length else b"") + picture)
    squares = np.repeat(SQUARE, windows, axis=0)
    floats = {"REGION": SQUARE, "WINDOW": squares, "MPP": np.array(mpp, np.float32), "CORE": squares}
    for name, array in floats.items():
        made.inputs.add(name=name, datatype="FP32", shape=array.shape)
        made.raw_input_contents.append(array.tobytes())
    return made


@pytest.fixture
def told(server: LocalTriton) -> Callable[[Any], tuple[str, str]]:
    """Code and text of the answer to a bad request."""

    def ask(wrong: Any) -> tuple[str, str]:
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
            service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(wrong, timeout=120)
        return refused.value.code().name, refused.value.details()

    return ask


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (request(mpp=(0.5,)), ["WINDOW 0 is ", " level-0 pixels, at MPP "]),
        (request(with_length=False), ["incomplete string data for inference input 'TILE'"]),
        (request(2, mpp=(0.25, 0.25)), ["unexpected shape for input"]),
        (request(17), ["WINDOW is [17, 4]; wanted 1 to 16 in a request"]),
    ],
    ids=["scale", "length", "shape", "many"],
)
def test_the_page_quotes_what_is_answered(told: Callable[[Any], tuple[str, str]], wrong: Any, words: list[str]) -> None:
    code, text = told(wrong)

    assert code == "INVALID_ARGUMENT"
    assert all(each in text and each in PAGE for each in words)


def test_no_window_is_refused_in_words_too(told: Callable[[Any], tuple[str, str]]) -> None:
    assert "WINDOW is [0, 4]; wanted 1 to 16 in a request" in told(request(0))[1]
