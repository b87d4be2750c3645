"""Writes origin, passport and golden outputs anew beside graphs that are served: nothing is trained, no graph changes.

`python -m histoserve.export.passports` does so for every graph of the installed repository, `--repository DIR` of
another, `MODEL…` of some. Parity with PyTorch is measured where the weights that come with histoserve are the graph's.
"""

import argparse
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from histoserve.export import pipelines
from histoserve.export.commands import parity_of
from histoserve.export.config import read_config
from histoserve.export.deployment import GRAPH
from histoserve.export.engines import graph_from_file, graph_of, side_of
from histoserve.export.golden_from_onnx import golden_from_onnx
from histoserve.export.identity import weights_sha256
from histoserve.export.origin import FILE as ORIGIN
from histoserve.export.origin import origin_from_weights, origin_of
from histoserve.export.passport import Found, bytes_of, passport_of, precision_of, runtimes_of
from histoserve.export.repository import INSTALLED
from histoserve.export.rooms import graphs_of, room
from histoserve.export.served import ServedGraph
from histoserve.export.whole import write_together


def write_passport(model: str, repository: Path) -> list[Path]:
    """Beside the graph that is served, whatever lay there; ValueError for a model without one."""
    path = graph_of(model, repository)
    graph, config, content = graph_from_file(path), read_config(path.parents[1]), path.read_bytes()
    served = shipped().get(model)
    ours = served if served and made_of(graph).get("weights_sha256") == weights_sha256(served[0].module) else None
    precision = precision_of(graph)
    found = Found(
        parity_of(graph, ours[0]) if ours and precision == "fp32" else {},
        {},
        runtimes_of(model, graph, config.max_batch_size, repository),
        golden_from_onnx(graph, side_of(model, repository), precision),
    )
    known = origin_of(path.parents[1], int(path.parent.name)) or origin_from_weights(content, None)
    origin = origin_from_weights(content, ours[1]) if ours else known
    passport = passport_of(graph, content, config, repository, origin, found)
    files = {path.with_name(name): each for name, each in bytes_of(passport, found.golden).items()}
    files[path.with_name(ORIGIN)] = origin.to_json()
    write_together(files)
    return list(files)


def made_of(graph: onnx.ModelProto) -> Mapping[str, str]:
    return {entry.key: entry.value for entry in graph.metadata_props}


@cache
def shipped() -> dict[str, tuple[ServedGraph, Path]]:
    """Model → what comes with histoserve of it, and the file of its weights."""
    return {each.model: (each, path) for name, network, path in rooms() for each in graphs_of(network, name, path)}


def rooms() -> Iterator[tuple[str, ModuleType, Path]]:
    for name in pipelines():
        network: Any = room(name, "network")
        path = Path(network.__file__).with_name("weights.pt")
        if path.is_file() and hasattr(network, "served"):
            yield name, network, path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.passports", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--repository", type=Path, default=INSTALLED)
    asked = parser.parse_args()
    try:
        models = asked.models or sorted({path.parents[1].name for path in asked.repository.glob(f"*/[0-9]*/{GRAPH}")})
        if not models:
            raise ValueError(f"no model in {asked.repository} has a graph: name a model repository")
        for model in models:
            print(*write_passport(model, asked.repository), sep="\n", flush=True)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
