"""`histoserve inspect MODEL`: what a served graph is, costs and comes from, read from its files.

graph ─▶ operators, types, hash ┐
one run on a tile ─▶ its cost   ├▶ passport, as a table or as JSON
config, origin.json ─▶ its past ┤
TensorRT, where installed       ┘
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto
from rich.console import Console
from rich.table import Table

from histoserve.export.config import read_config
from histoserve.export.cost import cost_of
from histoserve.export.deployment import GRAPH, served_version
from histoserve.export.engines import ABSENT, engine_of, graph_from_file, side_of
from histoserve.export.origin import origin_of
from histoserve.export.portable import NotPortable, types_of
from histoserve.export.repository import INSTALLED, precision_of
from histoserve.export.tensorrt import NoEngine, library


def inspect(model: str, repository: Path | None, as_json: bool = False) -> None:
    """Prints the passport of `model`; ValueError for one without a graph, or whose graph is not the config's."""
    passport = passport_of(model, (repository or INSTALLED).expanduser())
    if as_json:
        print(json.dumps(passport, indent=1))
        return
    table = Table("what", model, show_lines=True)
    for name, value in passport.items():
        table.add_row(name, "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    Console().print(table)


def passport_of(model: str, repository: Path) -> dict[str, Any]:
    folder = repository / model
    if not (folder / "config.pbtxt").is_file():
        known = ", ".join(sorted(path.parents[1].name for path in repository.glob(f"*/1/{GRAPH}"))) or "none"
        raise ValueError(f"no model {model} in {repository}; those with a graph there: {known}")
    config = read_config(folder)
    version = served_version(config)
    path = folder / str(version) / GRAPH
    if not path.is_file():
        raise ValueError(f"{model} has no graph at {path}: it is a stage, or was not exported yet")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    said = config.parameters["graph_sha256"].string_value if "graph_sha256" in config.parameters else digest
    if said != digest:
        raise ValueError(
            f"{path} is not the graph of its config: sha256 {digest[:12]}, and config.pbtxt says {said[:12]}: export it"
            " again, or put back the graph"
        )
    graph, side = graph_from_file(path), side_of(model, repository)
    cost, rows = cost_of(graph, side), max(config.max_batch_size, 1)
    origin = origin_of(folder, version)
    return {
        "version": version,
        "precision": precision_of(graph),
        "graph": {"sha256": digest, "bytes": path.stat().st_size, "opset": opset_of(graph)},
        "operators": dict(Counter(node.op_type for node in graph.graph.node).most_common()),
        "tensors": dict(Counter(types_of(graph).values()).most_common()),
        "weight_bytes": weight_bytes(graph),
        "one_row": {"side": side, **asdict(cost)},
        "batch": {"rows": rows, "memory": rows * cost.memory},
        "made_of": {entry.key: entry.value for entry in graph.metadata_props},
        "origin": asdict(origin) if origin else {},
        "runtimes": {"ONNX Runtime": "runs", "TensorRT": with_tensorrt(model, graph, rows, repository)},
    }


def opset_of(graph: onnx.ModelProto) -> int:
    return max(each.version for each in graph.opset_import if each.domain in ("", "ai.onnx"))


def weight_bytes(graph: onnx.ModelProto) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in graph.graph.initializer:
        found[TensorProto.DataType.Name(each.data_type)] += len(each.raw_data)
    return {name: count for name, count in found.most_common() if count}


def with_tensorrt(model: str, graph: onnx.ModelProto, rows: int, repository: Path) -> str:
    trt = library()
    if trt is None:
        return ABSENT
    try:
        return f"{trt.__version__}: {engine_of(trt, model, graph, rows, repository)}"
    except (NoEngine, NotPortable) as error:
        return f"refuses it: {error}"
