"""Untrained peakmap networks of every kind, exported into a copy of the shipped repository and served from it."""

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from tiny_graphs import graph, tensor
from torch import Tensor

from histoserve.client.pipelines.peakmap.rows import SLIDE_INPUTS
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Outputs, Server
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export import commands
from histoserve.export.agreement import check_fit
from histoserve.export.commands import export, train
from histoserve.export.config import GraphDoesNotFit, read_config
from histoserve.export.engines import engine_of
from histoserve.export.graph import onnx_from_module
from histoserve.export.identity import weights_sha256
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import feature_shape
from histoserve.export.peakmap.head import Head
from histoserve.export.peakmap.network import SIZES, part_of, served
from histoserve.export.peakmap.smears import smear_from_seed, tiles_of
from histoserve.export.repository import write_networks
from histoserve.export.served import ServedGraph

SHIPPED = Path(__file__).parents[3] / "model_repository"
TIMEOUT_S = 60.0
FEATURE = {"classifier": "pyramid", "detector": "map", "segmenter": "map"}
"""What each kind of extractor hands on here; PyTorch's modules are tested with every pair."""


def weights(kind: str, feature: str, types: int = 3) -> dict[str, Tensor]:
    """Untrained, but sure enough of every type that tiles have it."""
    torch.manual_seed(0)
    extractor = KINDS[kind](types)
    extractor.shift += 5
    # Of its own seed, so that extractors of every kind have one head and share its graphs.
    torch.manual_seed(0)
    parts = {"extractor": extractor, "head": Head(feature_shape(feature), types)}
    return {f"{part}.{name}": tensor for part, each in parts.items() for name, tensor in each.state_dict().items()}


GRAPHS: dict[tuple[str, str], onnx.ModelProto] = {}


def graph_of(network: ServedGraph) -> onnx.ModelProto:
    """Its export, made once: that takes seconds."""
    key = network.model, weights_sha256(network.module)
    if key not in GRAPHS:
        GRAPHS[key] = onnx_from_module(network)
    return GRAPHS[key]


def exported(kind: str) -> list[tuple[ServedGraph, onnx.ModelProto]]:
    return [(each, graph_of(each)) for each in served(weights(kind, FEATURE[kind]))]


def exported_of_four_types() -> list[tuple[ServedGraph, onnx.ModelProto]]:
    """Graphs that only say that they have four."""
    result = []
    of_four = served(weights("classifier", FEATURE["classifier"], types=4))
    for (_, of_three), network in zip(exported("classifier"), of_four, strict=True):
        changed = onnx.ModelProto.FromString(of_three.SerializeToString())
        for each in (*changed.graph.input, *changed.graph.output):
            if (axis := SIZES["types"].get(each.name)) is not None:
                each.type.tensor_type.shape.dim[axis].dim_value = 4
        result.append((network, changed))
    return result


def stages_of_peakmap(folder: Path) -> Path:
    """Its stages and ensembles alone."""
    for model in SHIPPED.glob("peakmap_*"):
        shutil.copytree(
            model, folder / model.name, ignore=shutil.ignore_patterns("*.onnx", "passport.json", "__pycache__")
        )
    for network in ("network", "encoder", "classifier"):
        shutil.rmtree(folder / f"peakmap_{network}", ignore_errors=True)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return stages_of_peakmap(tmp_path / "repository")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Of a pipeline for every kind of extractor, named after it."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "all").mkdir()
    for kind in KINDS:
        repository = stages_of_peakmap(folder / kind)
        torch.save(weights(kind, FEATURE[kind]), folder / "peakmap.pt")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(commands, "onnx_from_module", graph_of)
            export("peakmap", folder / "peakmap.pt", repository)
        for model in repository.iterdir():
            named = model.rename(folder / "all" / model.name.replace("peakmap", kind))
            config = named / "config.pbtxt"
            config.write_text(config.read_text().replace('"peakmap_', f'"{kind}_'))
    with LocalTriton(folder / "all", state=folder / "state") as triton:
        server = Server(triton.grpc)
        yield server
        server.close()


@pytest.fixture(scope="module")
def tiles() -> np.ndarray:
    return tiles_of(smear_from_seed(7, (1024, 1024)).image)[1][:37]


def rows_of(kind: str, server: Server, tiles: np.ndarray) -> Outputs:
    regions = np.array([(128 * i, 0, 128, 128) for i in range(len(tiles))], np.float32)
    windows = {"REGION": regions, "WINDOW": regions, "MPP": np.array([0.5], np.float32)}
    request = {"TILE": [encode(tile, Encoding()) for tile in tiles], **windows}
    return server.infer(f"{kind}_tiles", {**request, "FLOOR": np.full(3, -1, np.float32)}, TIMEOUT_S)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_tensorrt_builds_an_engine_of_every_kind(tensorrt: ModuleType, kind: str) -> None:
    for network, made in exported(kind):
        assert engine_of(tensorrt, network.model, made, network.max_batch_size, SHIPPED).size > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_exported_served_and_gives_peaks(server: Server, tiles: np.ndarray, kind: str) -> None:
    rows = rows_of(kind, server, tiles[:16])
    answer = server.infer(f"{kind}_slide", {name: rows[name] for name in (*SLIDE_INPUTS, "NETWORK")}, TIMEOUT_S)
    assert sum(len(graph.SerializeToString()) for _, graph in exported(kind)) <= 12 * 2**20
    assert rows["FEATURE_MAP"].shape[1:] == feature_shape(FEATURE[kind])
    assert bool((rows["BOX"][:, :, 4:] >= 0.5).any()) == (kind == "detector")
    assert (answer["PEAK_SCORE"] >= 0.5).all()
    np.testing.assert_allclose(answer["ATTENTION"].sum(1), 1, atol=1e-6)
    assert answer["PROBABILITY"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiles_row_does_not_depend_on_its_batch_to_the_last_bit(kind: str, tiles: np.ndarray) -> None:
    network, encoder, _ = (onnxruntime.InferenceSession(graph.SerializeToString()) for _, graph in exported(kind))
    outputs = ["SCORE", "FEATURE_MAP", "NETWORK", "BOX"]
    whole = network.run(outputs, {"IMAGE": tiles})
    whole += encoder.run(None, {"FEATURE_MAP": whole[1]})
    # Of 37 tiles, so that the last parts are of 1 and of 5.
    for size in (1, 2, 3, 32):
        for start in range(0, len(tiles), size):
            part = network.run(outputs, {"IMAGE": tiles[start : start + size]})
            part += encoder.run(None, {"FEATURE_MAP": part[1]})
            for one, other in zip(part, whole, strict=True):
                assert one.tobytes() == other[start : start + size].tobytes()


def test_graphs_of_another_number_of_types_are_refused_by_name(repository: Path) -> None:
    message = (
        r"types: .* 3 by .*FLOOR of peakmap_tiles, .*; 4 by POOLED of peakmap_classifier, SCORE of peakmap_network"
    )
    with pytest.raises(GraphDoesNotFit, match=message):
        write_networks(repository, exported_of_four_types())
    assert not (repository / "peakmap_network").exists()


def test_a_graph_of_another_number_of_types_does_not_load(repository: Path, tmp_path: Path) -> None:
    write_networks(repository, exported("classifier"))
    nodes = [
        helper.make_node("Shape", ["IMAGE"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "types"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["SCORE"]),
    ]
    image, score = tensor("IMAGE", TensorProto.UINT8, "N", 128, 128, 3), tensor("SCORE", TensorProto.FLOAT, "N", 4)
    content = graph(nodes, [image], [score], {"types": np.array([4])})
    version = repository / "peakmap_network" / "1"
    (version / "model.onnx").write_bytes(content)
    (version / "passport.json").unlink()
    with pytest.raises(LocalTritonError, match=r"output SCORE: the config says \[-1, 3\].*the graph \[-1, 4\]"):
        LocalTriton(repository, models=["peakmap_network"], state=tmp_path / "state").start()


@pytest.mark.parametrize(
    ("model", "edit", "message"),
    [
        ("peakmap_classifier", ("dims: 64", "dims: 32"), "embedding length: .* 32 by POOLED .* 64 by EMBEDDING"),
        ("peakmap_encoder", ("dims: 208", "dims: 64"), "FEATURE_MAP|feature map channels: .* 64 by FEATURE_MAP"),
        (
            "peakmap_decode",
            ('"128"', '"256"'),
            "tile_px: .* 128 by IMAGE .* 256 by parameter tile_px of peakmap_decode",
        ),
        ("peakmap_filter", ('"10"', '"5"'), "k: .* 5 by parameter k of peakmap_filter; 10 by .* peakmap_select"),
    ],
)
def test_models_of_one_pipeline_must_agree(repository: Path, model: str, edit: tuple[str, str], message: str) -> None:
    write_networks(repository, exported("classifier"))
    path = repository / model / "config.pbtxt"
    path.write_text(path.read_text().replace(*edit))
    with pytest.raises(GraphDoesNotFit, match=message):
        check_fit([read_config(repository / model)], repository, SIZES)


@pytest.mark.parametrize(("k", "fits"), [(10, True), (11, False)])
def test_an_encoder_must_take_all_peaks_and_the_zero_map_at_once(repository: Path, k: int, fits: bool) -> None:
    # 3 × 10 + 1 = 31 of the 32 that it takes, and 3 × 11 + 1 = 34.
    for model in ("peakmap_filter", "peakmap_select", "peakmap_pool"):
        path = repository / model / "config.pbtxt"
        path.write_text(path.read_text().replace('"10"', f'"{k}"'))
    message = r"peakmap_encoder: max_batch_size 32 is too small, it gets types × k \+ 1 = 34 rows"
    with nullcontext() if fits else pytest.raises(GraphDoesNotFit, match=message):
        write_networks(repository, exported("classifier"))


def test_an_extractor_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no extractor 'yolo'.*classifier, detector, segmenter; features: map, pyramid"
    ):
        train("peakmap", tmp_path, extractor="yolo")


def test_parts_of_the_weights_are_told_by_their_names() -> None:
    parts = weights("detector", "map")
    assert len(part_of(parts, "extractor")) + len(part_of(parts, "head")) == len(parts)
