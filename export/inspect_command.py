"""`histoserve inspect MODEL`: the passport that lies beside a served graph, as a table or as JSON."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from histoserve.ensemble.passport import FILE, require_own_graph
from histoserve.export.config import read_config
from histoserve.export.deployment import GRAPH, served_version
from histoserve.export.engines import graph_from_file
from histoserve.export.origin import origin_from_weights, origin_of
from histoserve.export.passport import Found, passport_of, runtimes_of
from histoserve.export.repository import INSTALLED


def inspect(model: str, repository: Path | None, as_json: bool = False) -> None:
    """Prints the passport of `model`; ValueError for one without a graph, or whose graph is not the passport's."""
    passport = passport_in(model, (repository or INSTALLED).expanduser())
    if as_json:
        print(json.dumps(passport, indent=1))
        return
    table = Table("what", model, show_lines=True)
    for name, value in passport.items():
        table.add_row(name, "\n".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    Console().print(table)


def passport_in(model: str, repository: Path) -> dict[str, Any]:
    """What lies beside the graph; of a graph that has none, made now, and knowing nothing of where it comes from."""
    path = graph_of(model, repository)
    require_own_graph(path)
    if path.with_name(FILE).is_file():
        said: dict[str, Any] = json.loads(path.with_name(FILE).read_bytes())
        return said
    config, graph = read_config(path.parents[1]), graph_from_file(path)
    origin = origin_of(path.parents[1], int(path.parent.name))
    runtimes = runtimes_of(model, graph, config.max_batch_size, repository)
    content = path.read_bytes()
    known = origin or origin_from_weights(content, None)
    return passport_of(graph, content, config, repository, known, Found(runtimes=runtimes))


def graph_of(model: str, repository: Path) -> Path:
    """Of the version that is served; ValueError for a model that is not there or has none."""
    folder = repository / model
    if not (folder / "config.pbtxt").is_file():
        known = ", ".join(sorted(path.parents[1].name for path in repository.glob(f"*/1/{GRAPH}"))) or "none"
        raise ValueError(f"no model {model} in {repository}; those with a graph there: {known}")
    config = read_config(folder)
    path = folder / str(served_version(config)) / GRAPH
    if not path.is_file():
        raise ValueError(f"{model} has no graph at {path}: it is a stage, or was not exported yet")
    return path
