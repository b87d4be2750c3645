"""The networks of a pipeline, by the pipeline's name."""

import importlib
from pathlib import Path
from types import ModuleType

from histoserve.export import pipelines
from histoserve.export.served import ServedGraph
from histoserve.export.weight_file import weights_from_file

ONNX = "onnx"
"""A layout that every pipeline takes: a graph, and beside it how it is joined (`mapping`)."""


def room(name: str, module: str) -> ModuleType:
    """The module of pipeline `name`; ValueError naming those that exist."""
    known = pipelines()
    if name not in known:
        raise ValueError(f"no network is called {name!r}; there are: {', '.join(known)}")
    return importlib.import_module(f"histoserve.export.{name}.{module}")


def importer(name: str, layout: str) -> ModuleType:
    """What takes files of another program's layout into pipeline `name`; ValueError naming those that exist.

    It stands in the pipeline's room, `from_<layout>.py`: `weights_in` finds the parameters in what the file holds, and
    `served` is as that of `network.py`, or `served_of_file` also takes the file's path, where its name says something.
    """
    folder = Path(str(room(name, "network").__file__)).parent
    known = [path.stem.removeprefix("from_") for path in folder.glob("from_*.py")]
    if layout not in known:
        raise ValueError(f"{name} takes no files from {layout!r}; there are: {', '.join(sorted([*known, ONNX]))}")
    return room(name, f"from_{layout}")


def graphs_of(network: ModuleType, name: str, path: Path) -> list[ServedGraph]:
    """What is served of the weights in the file `path`; ValueError, in one line, if they are not of this pipeline."""
    state = weights_from_file(path, getattr(network, "weights_in", lambda loaded: loaded))
    try:
        of_file = getattr(network, "served_of_file", None)
        served: list[ServedGraph] = of_file(state, path) if of_file else network.served(state)
        return served
    except (LookupError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else first_fault(str(error))
        raise ValueError(f"{path} holds no weights of a {name} network: {reason}") from error


def first_fault(text: str) -> str:
    """Of PyTorch's list of all that does not fit, the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[1] if len(lines) > 1 else lines[0] if lines else "unknown"
    return first if len(first) < 200 else f"{first[:200]} …"
