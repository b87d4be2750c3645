"""Binds a plain function to Triton's Python backend; the only file that knows Triton's Python API.

    config.pbtxt ──(names, types, parameters)──▶ bind(function) ──▶ TritonPythonModel
    request ─inputs by name─▶ function(…) ─dict of outputs─▶ response
                                  │ ValueError      ▶ INVALID_ARGUMENT, for that request alone: the caller's fault
                                  ╰ other exception ▶ INTERNAL without details, logged here: our fault

The positional arguments of the function are the config's inputs in lower case, its keyword-only arguments are the
config's parameters, converted to their annotation (int, float, str, tuple[str, ...]); its result holds the outputs.
A config that the function does not fit is refused when the model loads.
"""

import inspect
import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import numpy as np

from histoserve.ensemble.identity import stage_identity

Stage = Callable[..., dict[str, np.ndarray]]


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


CONVERT: dict[Any, Callable[[str], Any]] = {int: int, float: float, str: str, tuple[str, ...]: split}
"""How a parameter's text becomes the annotated type."""


def parameters_from_config(function: Stage, config: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments that `config`, Triton's model configuration as JSON, holds for `function`.

    Raises TypeError if a parameter is missing or unreadable, or if the inputs are not the function's arguments.
    Parameters that the function does not name are for clients, and left alone.
    """
    name = config["name"]
    given = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
    hints = get_type_hints(function)
    signature = inspect.signature(function).parameters.values()
    inputs = [argument.name for argument in signature if argument.kind is not argument.KEYWORD_ONLY]
    configured = [tensor["name"].lower() for tensor in config["input"]]
    if sorted(inputs) != sorted(configured):
        raise TypeError(f"{name}: config.pbtxt has the inputs {configured}, but {function.__name__} takes {inputs}")
    result = {}
    for argument in signature:
        if argument.kind is not argument.KEYWORD_ONLY:
            continue
        if argument.name not in given:
            if argument.default is argument.empty:
                raise TypeError(
                    f"{name}: config.pbtxt lacks the parameter {argument.name!r}; {function.__name__} needs it"
                )
            continue
        try:
            result[argument.name] = CONVERT[hints[argument.name]](given[argument.name])
        except ValueError as error:
            raise TypeError(f"{name}: parameter {argument.name!r} of config.pbtxt: {error}") from error
    return result


def identified(function: Stage, config: dict[str, Any]) -> None:
    """Adds `identity` to the parameters in `config`: a stage that decides rows takes it and puts it into NETWORK."""
    parameters = config.setdefault("parameters", {})
    given = {key: value["string_value"] for key, value in parameters.items()}
    parameters["identity"] = {"string_value": str(stage_identity(function, given))}


def bind(function: Stage) -> type:
    """The class `TritonPythonModel` that serves `function`."""

    class TritonPythonModel:
        def initialize(self, args: dict[str, str]) -> None:
            # Exists only inside Triton's Python backend.
            import triton_python_backend_utils as triton

            config = json.loads(args["model_config"])
            self.triton = triton
            self.name = config["name"]
            self.inputs = [tensor["name"] for tensor in config["input"]]
            self.outputs = {t["name"]: triton.triton_string_to_numpy(t["data_type"]) for t in config["output"]}
            identified(function, config)
            self.parameters = parameters_from_config(function, config)

        def execute(self, requests: list[Any]) -> list[Any]:
            # An exception that left here would fail every request of the list.
            return [self.respond(request) for request in requests]

        def respond(self, request: Any) -> Any:
            triton = self.triton
            try:
                tensors = {n.lower(): triton.get_input_tensor_by_name(request, n).as_numpy() for n in self.inputs}
                result = function(**tensors, **self.parameters)
                outputs = [triton.Tensor(name, self.checked(name, result[name])) for name in self.outputs]
                return triton.InferenceResponse(outputs)
            except ValueError as error:
                fault = triton.TritonError(f"{self.name}: {error}", triton.TritonError.INVALID_ARG)
            except Exception:
                triton.Logger.log_error(f"{self.name}: request {request.request_id()!r}: {traceback.format_exc()}")
                fault = triton.TritonError(
                    f"{self.name}: internal error, see the server's log", triton.TritonError.INTERNAL
                )
            return triton.InferenceResponse(error=fault)

        def checked(self, name: str, array: np.ndarray) -> np.ndarray:
            if array.dtype != self.outputs[name]:
                raise TypeError(f"output {name} is {array.dtype}, the config promises {self.outputs[name]}")
            return np.ascontiguousarray(array)

    return TritonPythonModel
