"""The nuclei pipeline through a real Triton: the same slide gives the same file, whatever happens on the way."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from openslide import OpenSlide
from shapely import STRtree
from shapely.geometry import shape

from histoserve.client.errors import Refused
from histoserve.client.travel.encode import Encoding, encode
from histoserve.client.wire import Server
from histoserve.deploy.local.triton import LocalTriton

REPOSITORY = Path(__file__).parents[1] / "model_repository"
ONE_TILE_PX = 1280
"""All of the phantom, 1200 × 1000 px, and a margin."""
MATCHED = 0.995
"""Share of the nuclei that must have a partner with an intersection over union of one half."""
Analyze = Callable[..., Path]


@pytest.fixture
def analyze(histoserve: Callable[..., tuple[int, str]], server: LocalTriton, tmp_path: Path) -> Analyze:
    """`analyze(slide, *options)`, with the session's server unless the options name one → the GeoJSON."""

    def run(slide: Path, *options: str) -> Path:
        where = () if "--server" in options else ("--server", server.grpc)
        code, told = histoserve("analyze", slide, "--pipeline", "nuclei", "-o", tmp_path / "out", *options, *where)
        assert code == 0, told
        return tmp_path / "out" / slide.stem / "nuclei" / "nuclei.geojson"

    return run


@pytest.fixture
def second(tmp_path: Path) -> Iterator[LocalTriton]:
    with LocalTriton(REPOSITORY, models=["nuclei_tiles", "nuclei_slide"], state=tmp_path / "state") as triton:
        yield triton


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    """With the phantom in one tile of `nuclei`; and with `strict`, whose watershed leaves out more than that of nuclei.

    What a pipeline is called is no part of its identity.
    """
    repository = tmp_path_factory.mktemp("repository")
    for model in REPOSITORY.glob("nuclei_*"):
        for name in (model.name, model.name.replace("nuclei", "strict")):
            copy = shutil.copytree(model, repository / name)
            config = (copy / "config.pbtxt").read_text().replace('"nuclei_', f'"{name.partition("_")[0]}_')
            (copy / "config.pbtxt").write_text(config)
    change(repository / "nuclei_decode", '"512"', f'"{ONE_TILE_PX}"')
    change(repository / "strict_watershed", '"50"', '"60"')
    with LocalTriton(repository, state=tmp_path_factory.mktemp("state")) as triton:
        yield triton


def change(model: Path, old: str, new: str) -> None:
    config = model / "config.pbtxt"
    assert config.read_text().count(old) == 1
    config.write_text(config.read_text().replace(old, new))


# Each of the four at its least and its most.
@pytest.mark.parametrize("options", [("--in-flight", "1", "--batch", "16"), ("--in-flight", "16", "--batch", "1")])
def test_requests_in_flight_and_batches_do_not_show(
    analyze: Analyze, phantom: Path, expected: bytes, options: tuple[str, ...]
) -> None:
    assert analyze(phantom, *options).read_bytes() == expected


def test_two_servers_give_the_answer_of_one(
    analyze: Analyze, phantom: Path, expected: bytes, server: LocalTriton, second: LocalTriton
) -> None:
    result = analyze(phantom, "--server", server.grpc, "--server", second.grpc, "--batch", "1")
    assert result.read_bytes() == expected


def nuclei_of(content: bytes) -> list:
    return [shape(feature["geometry"]) for feature in json.loads(content)["features"]]


def best_iou(nuclei: list, others: list) -> np.ndarray:
    """For each nucleus the largest intersection over union with one of the others."""
    tree = STRtree(others)
    best = np.zeros(len(nuclei))
    for row, other in zip(*tree.query(nuclei, predicate="intersects"), strict=True):
        overlap = nuclei[row].intersection(others[other]).area
        best[row] = max(best[row], overlap / (nuclei[row].area + others[other].area - overlap))
    return best


def test_small_tiles_find_the_nuclei_of_one_large_tile(
    analyze: Analyze, phantom: Path, expected: bytes, other: LocalTriton
) -> None:
    path = analyze(phantom, "--server", other.grpc)
    small, large = nuclei_of(expected), nuclei_of(path.read_bytes())
    assert json.loads(path.with_name("result.json").read_text())["tiles"]["planned"] == 1
    assert np.mean(best_iou(small, large) >= 0.5) >= MATCHED
    assert np.mean(best_iou(large, small) >= 0.5) >= MATCHED


def shared_parts(nuclei: list) -> list[float]:
    """Of each two that meet, the part of the smaller that both have."""
    pairs = [(a, b) for a, b in STRtree(nuclei).query(nuclei, predicate="intersects").T if a < b]
    return [nuclei[a].intersection(nuclei[b]).area / min(nuclei[a].area, nuclei[b].area) for a, b in pairs]


def test_no_nucleus_is_doubled(expected: bytes) -> None:
    assert max(shared_parts(nuclei_of(expected)), default=0) <= 0.5


def test_real_tissue_has_no_doubles_and_no_nucleus_too_small_to_be_one(
    shared: Path, analyze: Analyze, tmp_path: Path
) -> None:
    with OpenSlide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        slide.read_region((600, 900), 0, (1100, 1100)).convert("RGB").save(tmp_path / "tissue.png")
    path = analyze(tmp_path / "tissue.png", "--mpp", "0.499")
    doubles = sum(part > 0.5 for part in shared_parts(nuclei_of(path.read_bytes())))
    features = json.loads(path.read_text())["features"]
    print(f"{doubles} doubles among {len(features)} nuclei")
    assert doubles == 0
    assert len(features) > 200
    # 50 px of 0.25 µm.
    assert min(each["properties"]["measurements"]["Area µm^2"] for each in features) >= 3.12
    assert len({each["id"] for each in features}) == len(features)


def test_rows_of_two_networks_are_refused_in_words(server: LocalTriton) -> None:
    rows = {"CENTROID": (1, 2), "BOX": (1, 4), "TYPE_PROBABILITY": (1,), "AREA": (1,), "CORE": (1, 4)}
    tensors = {name: np.ones(dims, np.float32) for name, dims in rows.items()}
    tensors |= {"TYPE": np.ones(1, np.uint8), "SHAPE": np.ones((1, 72), np.uint8), "TILE_INDEX": np.ones(1, np.int32)}
    wire = Server(server.grpc)
    one = wire.infer("nuclei_slide", {**tensors, "NETWORK": np.array([[7], [7]], np.int32)}, 60.0)
    assert one["KEEP"].tolist() == [True]
    with pytest.raises(Refused, match=r"INVALID_ARGUMENT: .*nuclei_slide: rows of two networks are mixed"):
        wire.infer("nuclei_slide", {**tensors, "NETWORK": np.array([[7], [8]], np.int32)}, 60.0)


def test_a_parameter_of_any_stage_makes_another_network(server: LocalTriton, other: LocalTriton) -> None:
    tiles = [encode(np.full((64, 64, 3), 240, np.uint8), Encoding())] * 2
    whole = np.array([[0, 0, 64, 64]] * 2, np.float32)
    found = []
    for each, pipeline, tile_px in ((server, "nuclei", 512), (other, "nuclei", ONE_TILE_PX), (other, "strict", 512)):
        # The network's 0.25 µm/px, for a tile of 64 px.
        request = {"TILE": tiles, "MPP": np.array([tile_px / 64 * 0.25], np.float32)}
        request |= dict.fromkeys(("REGION", "WINDOW", "CORE"), whole)
        found.append(Server(each.grpc).infer(f"{pipeline}_tiles", request, 60.0)["NETWORK"])
    # No nucleus was found, and yet each window says who looked.
    assert [network.shape for network in found] == [(2, 1)] * 3
    assert len({number for network in found for number in network[:, 0].tolist()}) == 3
