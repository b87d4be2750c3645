"""Puts exported graphs into a Triton model repository, if they fit the pipeline that is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf import text_format

from histoserve.export.agreement import check_fit
from histoserve.export.config import HEADER, GraphDoesNotFit, config_from_graph, read_config
from histoserve.export.deployment import GRAPH, PRECISION, serve_version, served_version, shadow_of
from histoserve.export.deployment import INSTALLED as INSTALLED
from histoserve.export.origin import FILE, Origin, origin_from_weights, origin_of
from histoserve.export.served import ServedGraph
from histoserve.export.whole import write_together


@dataclass(frozen=True)
class Change:
    """What an export does to one model."""

    model: str
    before: Origin | None
    after: Origin
    dropped: list[str]
    """Settings of the old config that do not hold for an ONNX graph."""
    files: Mapping[Path, bytes]

    @property
    def graph(self) -> Path:
        return next(path for path in self.files if path.name == GRAPH)


def changes(
    repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]], weights: Path | None = None
) -> list[Change]:
    """What an export of the graphs, made of the file `weights`, does to `repository`; nothing is written yet.

    The graphs of one pipeline come together, since they must fit each other: GraphDoesNotFit if one does not.
    """
    result, configs = [], []
    for served, graph in exported:
        model = repository / served.model
        existing = read_config(model) if (model / "config.pbtxt").exists() else None
        config, dropped = config_from_graph(served, graph, existing)
        before = served_version(existing) if existing else 1
        version = serve_version(config, model, precision_of(graph))
        if shadow := shadow_of(model, config, version):
            raise GraphDoesNotFit(f"{model}: an export writes version {version}, but {shadow}: take that out first")
        content = graph.SerializeToString()
        after = origin_from_weights(content, weights)
        files = {
            model / "config.pbtxt": (HEADER + text_format.MessageToString(config)).encode(),
            model / str(version) / FILE: after.to_json(),
            model / str(version) / GRAPH: content,
        }
        configs.append(config)
        result.append(Change(served.model, origin_of(model, before), after, dropped, files))
    sizes = {name: axes for served, _ in exported for name, axes in served.sizes.items()}
    at_once = {served.model: served.at_once for served, _ in exported if served.at_once}
    check_fit(configs, repository, sizes, at_once)
    return result


def precision_of(graph: onnx.ModelProto) -> str:
    return next((entry.value for entry in graph.metadata_props if entry.key == PRECISION), "fp32")


def write_networks(
    repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]], weights: Path | None = None
) -> list[Path]:
    """Writes graph, config and origin of each model, all or none; returns the graphs' paths."""
    planned = changes(repository, exported, weights)
    write_together({path: content for change in planned for path, content in change.files.items()})
    return [change.graph for change in planned]
