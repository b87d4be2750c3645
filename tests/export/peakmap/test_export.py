"""Untrained peakmap networks of every kind, exported into a copy of the shipped repository and served from it."""

import shutil
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from histoserve.client.encode import Encoding, encode
from histoserve.client.pipelines.peakmap.rows import SLIDE_INPUTS
from histoserve.client.wire import Outputs, Server
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError
from histoserve.export.commands import export, train
from histoserve.export.graph import ServedGraph, onnx_from_module
from histoserve.export.peakmap.extractors import KINDS
from histoserve.export.peakmap.extractors.backbone import feature_shape
from histoserve.export.peakmap.network import SIZES, Head, part_of, served
from histoserve.export.peakmap.smears import smear_from_seed, tiles_of
from histoserve.export.repository import GraphDoesNotFit, check_fit, read_config, write_networks

SHIPPED = Path(__file__).parents[3] / "model_repository"
TIMEOUT_S = 60.0


def weights(kind: str, feature: str, types: int = 3) -> dict[str, Tensor]:
    """Untrained, but sure enough of every type that tiles have it."""
    torch.manual_seed(0)
    extractor = KINDS[kind](types)
    extractor.shift += 5
    parts = {"extractor": extractor, "head": Head(feature_shape(feature), types)}
    return {f"{part}.{name}": tensor for part, each in parts.items() for name, tensor in each.state_dict().items()}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The stages and ensembles of peakmap alone."""
    for model in SHIPPED.glob("peakmap_*"):
        shutil.copytree(model, tmp_path / "repository" / model.name, ignore=shutil.ignore_patterns("*.onnx"))
    for network in ("network", "encoder", "classifier"):
        shutil.rmtree(tmp_path / "repository" / f"peakmap_{network}", ignore_errors=True)
    return tmp_path / "repository"


@cache
def exported(types: int) -> list[tuple[ServedGraph, onnx.ModelProto]]:
    return [(each, onnx_from_module(each)) for each in served(weights("classifier", "pyramid", types))]


@pytest.fixture(scope="module")
def tiles() -> np.ndarray:
    return tiles_of(smear_from_seed(7, (1024, 1024)).image)[1][:37]


def rows_of(server: Server, tiles: np.ndarray) -> Outputs:
    regions = np.array([(128 * i, 0, 128, 128) for i in range(len(tiles))], np.float32)
    request = {"TILE": [encode(tile, Encoding()) for tile in tiles], "REGION": regions}
    return server.infer("peakmap_tiles", {**request, "FLOOR": np.full(3, -1, np.float32)}, TIMEOUT_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "feature"), [("classifier", "map"), ("detector", "map"), ("detector", "pyramid"), ("segmenter", "map")]
)
def test_every_kind_is_exported_served_and_gives_peaks(
    repository: Path, tmp_path: Path, tiles: np.ndarray, kind: str, feature: str
) -> None:
    torch.save(weights(kind, feature), tmp_path / "peakmap.pt")
    export("peakmap", tmp_path / "peakmap.pt", repository)
    assert sum(path.stat().st_size for path in repository.glob("*/1/model.onnx")) <= 12 * 2**20
    with LocalTriton(repository, state=tmp_path / "state") as triton:
        server = Server(triton.grpc)
        rows = rows_of(server, tiles[:16])
        answer = server.infer("peakmap_slide", {name: rows[name] for name in (*SLIDE_INPUTS, "NETWORK")}, TIMEOUT_S)
        server.close()
    assert rows["FEATURE_MAP"].shape[1:] == feature_shape(feature)
    assert bool((rows["BOX"][:, :, 4:] >= 0.5).any()) == (kind == "detector")
    assert (answer["PEAK_SCORE"] >= 0.5).all()
    np.testing.assert_allclose(answer["ATTENTION"].sum(1), 1, atol=1e-6)
    assert answer["PROBABILITY"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiles_row_does_not_depend_on_its_batch_to_the_last_bit(kind: str, tiles: np.ndarray) -> None:
    network, encoder, _ = (
        onnxruntime.InferenceSession(onnx_from_module(each).SerializeToString())
        for each in served(weights(kind, "map"))
    )
    outputs = ["SCORE", "FEATURE_MAP", "NETWORK", "BOX"]
    whole = network.run(outputs, {"IMAGE": tiles})
    whole += encoder.run(None, {"FEATURE_MAP": whole[1]})
    for size in (1, 2, 3, 8, 31, 32):
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
        write_networks(repository, exported(types=4))
    assert not (repository / "peakmap_network").exists()


def test_a_graph_of_another_number_of_types_does_not_load(repository: Path, tmp_path: Path) -> None:
    write_networks(repository, exported(types=3))
    graph = exported(types=4)[0][1].SerializeToString()
    (repository / "peakmap_network" / "1" / "model.onnx").write_bytes(graph)
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
    write_networks(repository, exported(types=3))
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
        write_networks(repository, exported(types=3))


def test_an_extractor_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no extractor 'yolo'.*classifier, detector, segmenter; features: map, pyramid"
    ):
        train("peakmap", tmp_path, extractor="yolo")


def test_parts_of_the_weights_are_told_by_their_names() -> None:
    parts = weights("detector", "map")
    assert len(part_of(parts, "extractor")) + len(part_of(parts, "head")) == len(parts)
