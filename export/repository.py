"""Puts exported graphs into a Triton model repository, if they fit the pipeline that is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from histoserve.export.accelerated import plain
from histoserve.export.agreement import check_fit
from histoserve.export.config import HEADER, GraphDoesNotFit, config_from_graph, read_config
from histoserve.export.deployment import GRAPH, INSTALLED, serve_version, served_version, shadow_of
from histoserve.export.origin import FILE, Origin, origin_from_weights, origin_of
from histoserve.export.passport import Found, bytes_of, passport_of, precision_of
from histoserve.export.served import ServedGraph
from histoserve.export.whole import write_together

__all__ = ["INSTALLED", "Change", "changes", "with_passports", "write_networks"]


@dataclass(frozen=True)
class Change:
    """What an export does to one model."""

    model: str
    before: Origin | None
    after: Origin
    dropped: list[str]
    """Settings of the old config that do not hold for an ONNX graph."""
    config: ModelConfig
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
        existing = plain(read_config(model)) if (model / "config.pbtxt").exists() else None
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
        result.append(Change(served.model, origin_of(model, before), after, dropped, config, files))
    sizes = {name: axes for served, _ in exported for name, axes in served.sizes.items()}
    at_once = {served.model: served.at_once for served, _ in exported if served.at_once}
    check_fit(configs, repository, sizes, at_once)
    return result


def with_passports(
    repository: Path, planned: Sequence[Change], found: Mapping[str, Found] | None = None
) -> list[Change]:
    """The same with a passport beside each graph; `found` is what it says beside what the graph does, by model."""
    return [with_passport(repository, each, (found or {}).get(each.model, Found())) for each in planned]


def with_passport(repository: Path, change: Change, found: Found) -> Change:
    content = change.files[change.graph]
    graph = onnx.load_from_string(content)
    passport = passport_of(graph, content, change.config, repository, change.after, found)
    beside = {change.graph.with_name(name): each for name, each in bytes_of(passport, found.golden).items()}
    return replace(change, files={**change.files, **beside})


def write_networks(
    repository: Path, exported: Sequence[tuple[ServedGraph, onnx.ModelProto]], weights: Path | None = None
) -> list[Path]:
    """Writes graph, config, origin and passport of each model, all or none; returns the graphs' paths."""
    planned = with_passports(repository, changes(repository, exported, weights))
    write_together({path: content for change in planned for path, content in change.files.items()})
    return [change.graph for change in planned]
