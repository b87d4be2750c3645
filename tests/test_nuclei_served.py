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

from histoserve.client.phantom import write_phantom
from histoserve.deploy.local.triton import LocalTriton

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


def test_no_nucleus_is_doubled(expected: bytes) -> None:
    nuclei = [shape(feature["geometry"]) for feature in json.loads(expected)["features"]]
    pairs = [(a, b) for a, b in STRtree(nuclei).query(nuclei, predicate="intersects").T if a < b]
    overlaps = [nuclei[a].intersection(nuclei[b]).area / nuclei[a].union(nuclei[b]).area for a, b in pairs]
    assert max(overlaps, default=0) < 0.5
