"""Is a graph the one of the passport that lies beside it?

Whoever loads a model asks, and so does each stage that takes a network's word for its rows: NVIDIA's own backend reads
no passports.
"""

import hashlib
import json
from pathlib import Path

FILE, GRAPH = "passport.json", "model.onnx"


class NotItsGraph(ValueError):
    """A graph was changed or exchanged, or its passport was."""


def require_own_graphs(model: Path) -> None:
    """NotItsGraph unless every graph of the pipeline of `model`, a folder of a repository, is its passport's."""
    pipeline = model.name.partition("_")[0]
    for passport in sorted(model.parent.glob(f"{pipeline}_*/[0-9]*/{FILE}")):
        require_own_graph(passport.with_name(GRAPH))


def require_own_graph(graph: Path) -> None:
    """NotItsGraph, naming both hashes, unless `graph` is the one that its passport says; one without any may be all."""
    passport = graph.with_name(FILE)
    if not passport.is_file() or not graph.is_file():
        return
    said, digest = sha256_said(passport), sha256_of(graph)
    if said != digest:
        raise NotItsGraph(
            f"{graph} is not the graph of its passport: its sha256 is {digest}, {FILE} says {said}: put back that"
            f" graph, or export it again; for a graph from elsewhere write a new passport, by python -m"
            f" histoserve.export.passports --repository {graph.parents[2]} {graph.parents[1].name}"
        )


def sha256_said(passport: Path) -> str:
    """NotItsGraph for a file that is no passport."""
    try:
        return str(json.loads(passport.read_bytes())["graph"]["sha256"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise NotItsGraph(f"{passport} is no passport, or a damaged one ({type(error).__name__})") from None


def sha256_of(graph: Path) -> str:
    digest = hashlib.sha256()
    with graph.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
