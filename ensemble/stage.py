"""Binds a plain function to Triton's Python backend; the only file that knows Triton's Python API.

    config.pbtxt ──(names, types, parameters)──▶ bind(stage) ──▶ TritonPythonModel
    request ─inputs by name─▶ function(…) ─dict of outputs─▶ response
                │                 │ ValueError      ▶ INVALID_ARGUMENT, for that request alone: the caller's fault
                │                 │ MemoryError     ▶ UNAVAILABLE, for that request alone: too much at this moment
                │                 ╰ other exception ▶ INTERNAL without details, logged here: our fault
                ╰ missing or unreadable             ▶ INVALID_ARGUMENT

The positional arguments of the function are the config's inputs in lower case, its keyword-only arguments are the
config's parameters, and `**` takes inputs for each name that one of these lists (`parameters.py`); its result holds the
outputs. A config that the function does not fit is refused when the model loads.
"""

import json
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from histoserve.ensemble.identity import identity_from_config
from histoserve.ensemble.padding import padded, padded_to, without_padding
from histoserve.ensemble.parameters import Stage, parameters_from_config
from histoserve.ensemble.passport import require_own_graphs

NETWORK = "NETWORK"
"""The input of a stage that makes rows of what a network said: it loads beside no other graph than was exported."""
MESSAGE_CHARACTERS = 1000
"""gRPC carries messages of errors in headers, which are limited to a few kB."""


def bind(stage: Stage) -> type:
    """The class `TritonPythonModel` that serves `stage`."""

    class TritonPythonModel:
        # For tests: what this model serves.
        function = staticmethod(stage)

        def initialize(self, args: dict[str, str]) -> None:
            # Exists only inside Triton's Python backend.
            import triton_python_backend_utils as triton

            config = json.loads(args["model_config"])
            if NETWORK in {tensor["name"] for tensor in config["input"]}:
                require_own_graphs(Path(args["model_repository"]))
            self.triton = triton
            self.name = config["name"]
            self.inputs = [tensor["name"] for tensor in config["input"]]
            self.outputs = {t["name"]: triton.triton_string_to_numpy(t["data_type"]) for t in config["output"]}
            self.padded_to = padded_to(config)
            self.parameters = parameters_from_config(stage, config) | identity_from_config(stage, config)

        def execute(self, requests: list[Any]) -> list[Any]:
            # An exception that left here would fail every request of the list.
            return [self.respond(request) for request in requests]

        def respond(self, request: Any) -> Any:
            codes = self.triton.TritonError
            try:
                given = without_padding(self.tensors(request), self.padded_to)
                result = padded(stage(**given, **self.parameters), self.padded_to)
                outputs = [self.triton.Tensor(name, self.checked(name, result[name])) for name in self.outputs]
                return self.triton.InferenceResponse(outputs)
            except ValueError as error:
                return self.refusal(str(error), codes.INVALID_ARG)
            except MemoryError:
                return self.refusal(
                    "not enough memory for this request: send fewer or smaller tiles", codes.UNAVAILABLE
                )
            except Exception:
                self.triton.Logger.log_error(f"{self.name}: {traceback.format_exc()}")
                return self.refusal("internal error, see the server's log", codes.INTERNAL)

        def tensors(self, request: Any) -> dict[str, np.ndarray]:
            """By the function's names; what Triton cannot turn into an array is the caller's fault."""
            result = {}
            for name in self.inputs:
                try:
                    result[name.lower()] = self.triton.get_input_tensor_by_name(request, name).as_numpy()
                except MemoryError:
                    raise
                except Exception as error:
                    raise ValueError(f"{name} is missing or cannot be read: {error}") from error
            return result

        def refusal(self, message: str, code: Any) -> Any:
            # What a caller sent may stand in the message; a lone surrogate would be an exception here.
            text = f"{self.name}: {message}"[:MESSAGE_CHARACTERS].encode("utf-8", "backslashreplace").decode()
            return self.triton.InferenceResponse(error=self.triton.TritonError(text, code))

        def checked(self, name: str, array: np.ndarray) -> np.ndarray:
            if array.dtype != self.outputs[name]:
                raise TypeError(f"output {name} is {array.dtype}, the config promises {self.outputs[name]}")
            return np.ascontiguousarray(array)

    return TritonPythonModel
