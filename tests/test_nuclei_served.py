"""The nuclei pipeline through a real Triton: the same slide gives the same file, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from shapely import STRtree
from shapely.geometry import shape

from histoserve.client.encode import Encoding, encode
from histoserve.client.errors import Refused
from histoserve.client.wire import Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

REPOSITORY = Path(__file__).parents[1] / "model_repository"
MATCHED = 0.995
"""Share of the nuclei that must have a partner with an intersection over union of one half."""
Analyze = Callable[..., Path]


def command(slide: Path, out: Path, *options: str) -> list[str]:
    histoserve = str(Path(sys.executable).with_name("histoserve"))
    return [histoserve, "analyze", str(slide), "--pipeline", "nuclei", "-o", str(out), *options]


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slide") / "phantom.tiff"
    write_phantom(path, kind="he", size=(1400, 1200), mpp=0.25, seed=4, truth=None)
    return path


@pytest.fixture
def analyze(phantom: Path, server: LocalTriton, tmp_path: Path) -> Analyze:
    """`analyze(*options)` on the phantom, with the session's server unless the options name one → the GeoJSON."""

    def run(*options: str, out: str = "out") -> Path:
        where = () if "--server" in options else ("--server", server.grpc)
        subprocess.run(command(phantom, tmp_path / out, *options, *where), check=True, timeout=300)
        return tmp_path / out / "phantom" / "nuclei" / "nuclei.geojson"

    return run


@pytest.fixture(scope="session")
def expected(phantom: Path, server: LocalTriton, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of an undisturbed run with default options."""
    out = tmp_path_factory.mktemp("expected") / "out"
    subprocess.run(command(phantom, out, "--server", server.grpc), check=True, timeout=300)
    content = (out / "phantom" / "nuclei" / "nuclei.geojson").read_bytes()
    assert content.count(b'"detection"') > 50
    return content


@pytest.fixture
def second(tmp_path: Path) -> Iterator[LocalTriton]:
    with LocalTriton(REPOSITORY, models=["nuclei_tiles", "nuclei_slide"], state=tmp_path / "state") as triton:
        yield triton


@pytest.mark.parametrize("options", [("--in-flight", "1"), ("--in-flight", "16"), ("--batch", "1"), ("--batch", "16")])
def test_requests_in_flight_and_batches_do_not_show(
    analyze: Analyze, expected: bytes, options: tuple[str, ...]
) -> None:
    assert analyze(*options).read_bytes() == expected


def test_two_servers_give_the_answer_of_one(
    analyze: Analyze, expected: bytes, server: LocalTriton, second: LocalTriton
) -> None:
    result = analyze("--server", server.grpc, "--server", second.grpc, "--batch", "1")
    assert result.read_bytes() == expected


def stubs(triton: LocalTriton) -> list[int]:
    """The processes of the stages."""
    parent = f"PPid:\t{triton.pid}\n"
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/status") if parent in path.read_text()]


def wait_for_tiles(triton: LocalTriton, count: int) -> None:
    """Until the last stage has done so many requests."""
    deadline = time.monotonic() + 120
    with triton_grpc.InferenceServerClient(triton.grpc) as client:
        while time.monotonic() < deadline:
            if client.get_inference_statistics("nuclei_watershed").model_stats[0].inference_count >= count:
                return
            time.sleep(0.05)
    raise AssertionError(f"no {count} tiles within two minutes")


def test_a_killed_stage_changes_nothing(second: LocalTriton, phantom: Path, expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(command(phantom, out, "--server", second.grpc, "--batch", "1", "--in-flight", "2"))
    first = second.pid
    wait_for_tiles(second, 2)
    assert run.poll() is None, "over before the stage could be killed"
    for stub in stubs(second):
        os.kill(stub, signal.SIGKILL)
    code = run.wait(300)
    assert second.pid != first
    assert code == 0
    assert (out / "phantom" / "nuclei" / "nuclei.geojson").read_bytes() == expected


def nuclei_of(path: Path) -> list:
    return [shape(feature["geometry"]) for feature in json.loads(path.read_text())["features"]]


def best_iou(nuclei: list, others: list) -> np.ndarray:
    """For each nucleus the largest intersection over union with one of the others."""
    tree = STRtree(others)
    best = np.zeros(len(nuclei))
    for row, other in zip(*tree.query(nuclei, predicate="intersects"), strict=True):
        overlap = nuclei[row].intersection(others[other]).area
        best[row] = max(best[row], overlap / (nuclei[row].area + others[other].area - overlap))
    return best


def repository_with(tile_px: int, folder: Path) -> Path:
    """A copy of the shipped repository with one number changed."""
    copy = Path(shutil.copytree(REPOSITORY, folder))
    config = copy / "nuclei_decode" / "config.pbtxt"
    config.write_text(config.read_text().replace('string_value: "512"', f'string_value: "{tile_px}"'))
    assert f'"{tile_px}"' in config.read_text()
    return copy


def test_small_tiles_find_the_nuclei_of_one_large_tile(phantom: Path, tmp_path: Path) -> None:
    found = {}
    for tile_px in (512, 2048):
        repository = repository_with(tile_px, tmp_path / str(tile_px))
        with LocalTriton(repository, models=["nuclei_tiles", "nuclei_slide"], state=tmp_path / "state") as triton:
            subprocess.run(command(phantom, tmp_path / "out", "--server", triton.grpc), check=True, timeout=300)
        found[tile_px] = nuclei_of(tmp_path / "out" / "phantom" / "nuclei" / "nuclei.geojson")
    small, large = found[512], found[2048]
    assert np.mean(best_iou(small, large) >= 0.5) >= MATCHED
    assert np.mean(best_iou(large, small) >= 0.5) >= MATCHED


def shared_parts(nuclei: list) -> list[float]:
    """Of each two that meet, the part of the smaller that both have."""
    pairs = [(a, b) for a, b in STRtree(nuclei).query(nuclei, predicate="intersects").T if a < b]
    return [nuclei[a].intersection(nuclei[b]).area / min(nuclei[a].area, nuclei[b].area) for a, b in pairs]


def test_no_nucleus_is_doubled(expected: bytes) -> None:
    nuclei = [shape(feature["geometry"]) for feature in json.loads(expected)["features"]]
    assert max(shared_parts(nuclei), default=0) <= 0.5


def test_a_real_slide_has_no_doubles_and_no_nucleus_too_small_to_be_one(
    shared: Path, server: LocalTriton, tmp_path: Path
) -> None:
    slide = shared / "slides" / "CMU-1-Small-Region.svs"
    subprocess.run(command(slide, tmp_path / "out", "--server", server.grpc), check=True, timeout=300)
    path = tmp_path / "out" / "CMU-1-Small-Region" / "nuclei" / "nuclei.geojson"
    doubles = sum(part > 0.5 for part in shared_parts(nuclei_of(path)))
    features = json.loads(path.read_text())["features"]
    print(f"{doubles} doubles among {len(features)} nuclei")
    assert doubles == 0
    assert len(features) > 2000
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


def test_a_parameter_of_any_stage_makes_another_network(server: LocalTriton, tmp_path: Path) -> None:
    tile = {"TILE": [encode(np.full((64, 64, 3), 240, np.uint8), Encoding())] * 2}
    request = {**tile, **{name: np.array([[0, 0, 64, 64]] * 2, np.float32) for name in ("REGION", "CORE")}}
    found = [Server(server.grpc).infer("nuclei_tiles", request, 60.0)["NETWORK"]]
    copy = Path(shutil.copytree(REPOSITORY, tmp_path / "repository"))
    for model, old, new in (("watershed", '"50"', '"60"'), ("decode", '"512"', '"256"')):
        config = copy / f"nuclei_{model}" / "config.pbtxt"
        config.write_text(config.read_text().replace(old, new))
        with LocalTriton(copy, models=["nuclei_tiles", "nuclei_slide"], state=tmp_path / "state") as triton:
            found.append(Server(triton.grpc).infer("nuclei_tiles", request, 60.0)["NETWORK"])
    # No nucleus was found, and yet each window says who looked.
    assert [network.shape for network in found] == [(2, 1)] * 3
    assert len({number for network in found for number in network[:, 0].tolist()}) == 3
