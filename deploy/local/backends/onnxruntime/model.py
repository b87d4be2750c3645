"""Triton's side of the `onnxruntime` backend: requests in, responses out.

load:     config ─┐                                                mismatch → the model does not load
          graph  ─┴▶ passport ─▶ contract ─▶ session
requests: arrays ─▶ shapes checked ─▶ merged ─▶ pieces ─▶ session ─▶ split ─▶ responses
                         │ wrong: INVALID_ARG                     │ fails: INTERNAL without details, which are logged
                         └──── either for that request alone
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from histoserve.deploy.local.backends.onnxruntime.batch import Arrays, Result, run_merged
from histoserve.deploy.local.backends.onnxruntime.contract import mismatches, shape_mismatch
from histoserve.deploy.local.backends.onnxruntime.pieces import rows_at_once, run_in_pieces
from histoserve.deploy.local.backends.onnxruntime.session import graph_file, open_session, run_options
from histoserve.ensemble.passport import NotItsGraph, require_own_graph


class TritonPythonModel:
    """One instance of one ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph; raises TritonModelException if it is missing, damaged, or not what the config promises."""
        config = json.loads(args["model_config"])
        graph = graph_file(Path(args["model_repository"]) / args["model_version"], config)
        self._name = args["model_name"]
        self._max_batch_size = int(config.get("max_batch_size", 0))
        self._outputs = [output["name"] for output in config["output"]]
        try:
            require_own_graph(graph)
        except NotItsGraph as error:
            raise pb_utils.TritonModelException(str(error)) from error
        try:
            self._run_options = run_options(config)
            kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
            self._session = open_session(graph, config, kind, device)
            self._rows = rows_at_once(config) if self._session.get_providers()[0] == "CPUExecutionProvider" else 0
        except Exception as error:
            raise pb_utils.TritonModelException(f"{graph}: {error}") from error
        inputs = self._session.get_inputs()
        overridable = [tensor.name for tensor in self._session.get_overridable_initializers()]
        wrong = mismatches(config, inputs, self._session.get_outputs(), overridable)
        if wrong:
            raise pb_utils.TritonModelException(f"{graph} does not fit its config.pbtxt: {'; '.join(wrong)}")
        self._inputs = {tensor.name: tensor for tensor in inputs}
        providers = ", ".join(self._session.get_providers())
        pb_utils.Logger.log_info(f"{args['model_instance_name']}: {graph} on {providers}")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """One response per request, in order; nothing that one request does can fail another."""
        arrays = [_arrays_of(request) for request in requests]
        refusals = [self._refusal(each) for each in arrays]
        accepted = [each for each, refusal in zip(arrays, refusals, strict=True) if refusal is None]
        run = partial(run_in_pieces, self._run, rows=self._rows)
        results = iter(run_merged(accepted, run, self._max_batch_size))
        return [
            self._response(next(results)) if refusal is None else _failed(refusal, pb_utils.TritonError.INVALID_ARG)
            for refusal in refusals
        ]

    def finalize(self) -> None:
        """Free the graph's memory."""
        del self._session

    def _refusal(self, arrays: Arrays) -> str | None:
        for name, array in arrays.items():
            mismatch = shape_mismatch(self._inputs[name], array.shape) if name in self._inputs else None
            if mismatch:
                return f"model {self._name}: {mismatch}"
        return None

    def _run(self, arrays: Arrays) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, arrays, self._run_options), strict=True))

    def _response(self, result: Result) -> Any:
        if isinstance(result, Exception):
            pb_utils.Logger.log_error(f"{self._name}: {result}")
            hidden = f"model {self._name} failed on this request; the server's log says why"
            return _failed(hidden, pb_utils.TritonError.INTERNAL)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in result.items()])


def _arrays_of(request: Any) -> Arrays:
    return {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}


def _failed(message: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
