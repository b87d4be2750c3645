"""Holds a server's networks against their golden outputs, whatever runtime it has: `histoserve golden`.

passport.json, golden.npz ─▶ inputs, one row at a time ⇢ gRPC ⇢ the network ⇢ outputs ─▶ within the bounds, or not
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from histoserve.ensemble.passport import FILE as PASSPORT
from histoserve.export.golden import FILE, INPUT, OUTPUT, arrays_in, compared, larger, parts, rows_of, sampled
from histoserve.export.near import Bounds

DEADLINE_S = 300.0
"""Of one row: a first one builds an engine, where TensorRT does that when it is asked."""


def check(address: str, repository: Path, models: Sequence[str] = ()) -> Iterator[str]:
    """A line for each network of `repository` that the server at `address` has, or of `models`, once it was compared.

    ValueError, after the last of them, names those that stray beyond their bounds; at once for a server that does not
    answer, another graph there, and models without golden outputs.
    """
    places = {path.parents[1].name: path.parent for path in sorted(repository.glob(f"*/[0-9]*/{FILE}"))}
    if missing := set(models) - places.keys():
        raise ValueError(f"{', '.join(sorted(missing))}: no golden outputs in {repository}; of: {', '.join(places)}")
    if not places:
        raise ValueError(f"{repository} has no golden outputs: python -m histoserve.export.passports makes them")
    wrong = []
    with triton.InferenceServerClient(address) as server:
        for model in models or places:
            try:
                if not models and not server.is_model_ready(model):
                    continue
                told, faults = compared_with(server, model, places[model])
            except InferenceServerException as error:
                raise ValueError(f"{model} on {address}: {str(error.message()).splitlines()[0]}") from None
            yield f"{model}: {', '.join(told)}" + ("" if not faults else " - too far")
            wrong += [f"{model}: {fault}" for fault in faults]
    if wrong:
        raise ValueError(f"{address} does not give the golden outputs: {'; '.join(wrong)}")


def compared_with(server: Any, model: str, folder: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Of the version of a model in `folder`: how far each output strays, and why that is too far."""
    said = golden_said(folder)
    config = server.get_model_config(model, as_json=True)["config"]
    graph = config.get("parameters", {}).get("graph_sha256", {}).get("string_value")
    wanted_graph = json.loads((folder / PASSPORT).read_bytes())["graph"]["sha256"]
    if graph and graph != wanted_graph:
        raise ValueError(
            f"{model}: the server has the graph {graph}, and {folder / PASSPORT} is of {wanted_graph}: name the"
            " repository that it serves, --repository"
        )
    arrays = arrays_in(folder / FILE)
    given = {name: larger(array, said["times"]) for name, array in parts(arrays, INPUT).items()}
    wanted = parts(arrays, OUTPUT)
    answers = [asked(server, model, request, list(wanted)) for request in rows_of(given, said["rows"])]
    found = {name: sampled(np.concatenate([each[name] for each in answers])) for name in wanted}
    if said["rows"] == 1:
        found = {name: sampled(answers[0][name]) for name in wanted}
    return compared(found, wanted, Bounds(**said["bounds"]))


def golden_said(folder: Path) -> dict[str, Any]:
    """What the passport says of the golden outputs beside it; ValueError unless they are these."""
    path = folder / FILE
    try:
        said: dict[str, Any] = json.loads((folder / PASSPORT).read_bytes())["golden"]
        wanted, found = str(said["sha256"]), hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{folder / PASSPORT} says nothing of {FILE} ({type(error).__name__})") from None
    if wanted != found:
        raise ValueError(f"{path} is not what {PASSPORT} says: its sha256 is {found}, wanted {wanted}")
    return said


def asked(server: Any, model: str, request: dict[str, NDArray], outputs: Sequence[str]) -> dict[str, NDArray]:
    inputs = []
    for name, array in request.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    wanted = [triton.InferRequestedOutput(name) for name in outputs]
    result = server.infer(model, inputs, outputs=wanted, client_timeout=DEADLINE_S)
    return {name: result.as_numpy(name) for name in outputs}
