"""Does TensorRT build an engine of every served graph? `python -m histoserve.export.engines` prints a table.

Without arguments, of the installed repository's graphs; `--repository DIR` of another's; `--published [NAME…]`
of untrained networks of the published width, which no repository holds.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import onnx
from google.protobuf.message import DecodeError

from histoserve.export import pipelines
from histoserve.export.config import read_config
from histoserve.export.deployment import GRAPH, INSTALLED, served_version
from histoserve.export.portable import require_portable
from histoserve.export.tensorrt import Engine, engine_from_onnx, library

ANY_SIDE = 256
"""Of a pipeline that says none."""
ABSENT = "TensorRT is not installed: pip install 'histoserve[tensorrt]' (230 MB)"


def engine_of(trt: ModuleType, model: str, graph: onnx.ModelProto, rows: int, repository: Path) -> Engine:
    """Of a graph that takes requests of `rows` rows, among the models in `repository`; ValueError names the node."""
    require_portable(model, graph)
    return engine_from_onnx(trt, model, graph.SerializeToString(), max(rows, 1), side_of(model, repository))


def side_of(model: str, repository: Path) -> int:
    """Of the tiles that the model's pipeline decodes."""
    pipeline = model.split("_")[0]
    for path in sorted(repository.glob(f"{pipeline}_*/config.pbtxt")):
        parameters = read_config(path.parent).parameters
        if "tile_px" in parameters:
            return int(parameters["tile_px"].string_value)
    return ANY_SIDE


def served_graphs(repository: Path) -> Iterator[tuple[str, onnx.ModelProto, int]]:
    """Model, graph and the most rows a request, of every ONNX model in `repository`; ValueError if there is none."""
    for model, path, rows in graph_files(repository):
        yield model, graph_from_file(path), rows


def graph_files(repository: Path) -> Iterator[tuple[str, Path, int]]:
    """The same with the graph's file, of the version that is served."""
    paths = sorted(repository.glob(f"*/[0-9]*/{GRAPH}"))
    if not paths:
        raise ValueError(f"no model in {repository} has a graph, 1/{GRAPH}: name a model repository")
    for path in paths:
        config = read_config(path.parents[1])
        if path.parent.name != str(served_version(config)):
            continue
        yield config.name, path, config.max_batch_size


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


def graph_from_file(path: Path) -> onnx.ModelProto:
    """ValueError for a file that holds none, or a damaged one."""
    try:
        graph = onnx.load(path)
        onnx.checker.check_model(graph)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{path} is no ONNX graph, or a damaged one: {str(error).splitlines()[0]}") from None
    return graph


def published_graphs(names: list[str]) -> Iterator[tuple[str, onnx.ModelProto, int]]:
    """The same of each pipeline's network of the published width, untrained; `names` may be empty: of all."""
    # PyTorch takes seconds to load, and the installed graphs do not need it.
    from histoserve.export.graph import onnx_from_module
    from histoserve.export.rooms import room

    for name in names or [each for each in pipelines() if hasattr(room(each, "network"), "published")]:
        network = room(name, "network")
        if not hasattr(network, "published"):
            raise ValueError(f"{name} has no published width: its network.py would have to say one in `published`")
        for served in network.served(network.published().state_dict()):
            yield served.model, onnx_from_module(served), served.max_batch_size


def table(trt: ModuleType, graphs: Iterator[tuple[str, onnx.ModelProto, int]], repository: Path) -> Iterator[str]:
    """Lines, each as soon as its engine is built."""
    yield f"| TensorRT for RTX {trt.__version__} | rows | nodes | layers | graph, MiB | engine, MiB | seconds |"
    yield "|---" * 7 + "|"
    for model, graph, rows in graphs:
        engine = engine_of(trt, model, graph, rows, repository)
        counts = (max(rows, 1), len(graph.graph.node), engine.layers)
        figures = (graph.ByteSize() / 2**20, engine.size / 2**20, engine.seconds)
        yield " | ".join(["| " + model, *map(str, counts), *(f"{each:.1f}" for each in figures)]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m histoserve.export.engines", description=__doc__)
    parser.add_argument("--repository", type=Path, default=INSTALLED)
    parser.add_argument("--published", nargs="*", metavar="NAME", help="pipelines; all if none is named")
    asked = parser.parse_args()
    try:
        trt = library()
        if trt is None:
            raise ValueError(ABSENT)
        graphs = published_graphs(asked.published) if asked.published is not None else served_graphs(asked.repository)
        for line in table(trt, graphs, asked.repository):
            print(line, flush=True)
    except ValueError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
