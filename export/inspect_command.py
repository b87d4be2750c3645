"""`histoserve inspect MODEL`: the passport that lies beside a served graph, as a table or as JSON."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from histoserve.ensemble.passport import FILE, require_own_graph
from histoserve.export.config import read_config
from histoserve.export.engines import graph_from_file, graph_of
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
