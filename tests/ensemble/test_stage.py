"""The adapter with a stand-in for Triton's module: an answer for each request, whatever the stage does."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from histoserve.ensemble.stage import bind


class TritonError(SimpleNamespace):
    INVALID_ARG, INTERNAL, UNAVAILABLE = "INVALID_ARG", "INTERNAL", "UNAVAILABLE"

    def __init__(self, text: str, code: str) -> None:
        # As pybind does.
        text.encode()
        super().__init__(text=text, code=code)


def answer(outputs: Any = None, error: Any = None) -> Any:
    return error or outputs


TRITON = SimpleNamespace(
    TritonError=TritonError,
    InferenceResponse=answer,
    Tensor=lambda name, array: (name, array.tolist()),
    triton_string_to_numpy=lambda text: np.float32,
    get_input_tensor_by_name=lambda request, name: request.get(name),
    Logger=SimpleNamespace(log_error=print),
)
CONFIG = {"name": "demo", "input": [{"name": "A"}], "output": [{"name": "B", "data_type": "TYPE_FP32"}]}


def asked(monkeypatch: pytest.MonkeyPatch, *requests: Any, failure: Exception | None = None) -> list:
    def stage(a: np.ndarray) -> dict[str, np.ndarray]:
        if failure and a[0] < 0:
            raise failure
        return {"B": a}

    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", TRITON)
    model = bind(stage)()
    model.initialize({"model_config": json.dumps(CONFIG)})
    return model.execute(list(requests))


def tensor(*values: float) -> dict:
    return {"A": SimpleNamespace(as_numpy=lambda: np.array(values, np.float32))}


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        (ValueError("A is −1"), "INVALID_ARG", "demo: A is −1"),
        (ValueError("\ud800" + "x" * 9999), "INVALID_ARG", "demo: \\ud800xxx"),
        (MemoryError(), "UNAVAILABLE", "demo: not enough memory for this request"),
        (KeyError("secret"), "INTERNAL", "demo: internal error, see the server's log"),
        (OSError("secret"), "INTERNAL", "demo: internal error"),
    ],
)
def test_a_failure_is_its_requests_alone(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str, text: str
) -> None:
    first, bad, last = asked(monkeypatch, tensor(1), tensor(-1), tensor(2), failure=failure)
    assert (first, last) == ([("B", [1.0])], [("B", [2.0])])
    assert bad.code == code
    assert bad.text.startswith(text)
    assert len(bad.text) < 2000


def unreadable() -> np.ndarray:
    raise RuntimeError("on a GPU")


@pytest.mark.parametrize("request_", [{}, {"A": SimpleNamespace(as_numpy=unreadable)}])
def test_an_input_that_cannot_be_read_is_the_callers_fault(monkeypatch: pytest.MonkeyPatch, request_: dict) -> None:
    bad, good = asked(monkeypatch, request_, tensor(1))
    assert (bad.code, bad.text.split(":")[1][:23]) == ("INVALID_ARG", " A is missing or cannot")
    assert good == [("B", [1.0])]
