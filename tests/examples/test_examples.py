"""The programs under `examples/`: strangers' clients, against the session's server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openslide
import pytest

from histoserve.client.describe.command import of_installed
from histoserve.client.wire import Outputs, Server
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CLEAN = (1120, 1680)
"""A place of the real slide that is full of nuclei, neither border nor glass."""

Nucleus = tuple[str, float, list[list[float]]]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> tuple[openslide.OpenSlide, tuple[int, int]]:
    """The real slide, or a phantom where there is none; and the corner of a window."""
    real = ROOT.parent / "shared/data/slides/CMU-1-Small-Region.svs"
    if real.exists():
        return openslide.OpenSlide(real), CLEAN
    path = tmp_path_factory.mktemp("slide") / "phantom.tiff"
    write_phantom(path, kind="he", size=(700, 700), mpp=0.25, seed=1, truth=None)
    return openslide.OpenSlide(path), (100, 100)


@pytest.fixture(scope="module")
def arguments(
    slide: tuple[openslide.OpenSlide, tuple[int, int]], server: LocalTriton, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Of both programs, and last the protocol, which only the one needs."""
    folder = tmp_path_factory.mktemp("stranger")
    describe = [sys.executable, "-m", "histoserve", "describe", "nuclei", "--json", "--server", server.grpc]
    told = subprocess.run([*describe, "--protocol", folder / "triton.protoset"], capture_output=True, check=True).stdout
    (folder / "nuclei.json").write_bytes(told)
    opened, (x, y) = slide
    mpp = float(opened.properties["openslide.mpp-x"])
    side = round(json.loads(told)["window"]["um"] / mpp)
    opened.read_region((x, y), 0, (side, side)).convert("RGB").save(folder / "tile.png")
    where = map(str, (x, y, side, mpp))
    return [server.grpc, str(folder / "nuclei.json"), str(folder / "tile.png"), *where, str(folder / "triton.protoset")]


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the JavaScript program needs, from npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        assert not os.environ.get("CI"), "node or npm is missing: CI must not skip the JavaScript example"
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    packages = ["@grpc/grpc-js@1", "@grpc/proto-loader@0.8"]
    quiet = ["--silent", "--no-audit", "--no-fund", "--prefer-offline"]
    subprocess.run(["npm", "install", *quiet, "--prefix", folder, *packages], check=True, timeout=300)
    return folder / "node_modules"


def nuclei(printed: str) -> list[Nucleus]:
    """The lines of a program."""
    words = [line.split() for line in printed.splitlines()]
    assert {unit for _, _, unit, *_ in words} == {"µm²"}
    return [
        (name, float(area), [[*map(float, each.split(","))] for each in outline]) for name, area, _, *outline in words
    ]


def run(*command: str, **variables: str) -> list[Nucleus]:
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, env={**os.environ, **variables})
    assert done.returncode == 0, done.stderr
    return nuclei(done.stdout)


def assert_same(ones: list[Nucleus], others: list[Nucleus]) -> None:
    """To the last digit printed."""
    assert [name for name, _, _ in ones] == [name for name, _, _ in others]
    for (_, area, outline), (_, other, again) in zip(ones, others, strict=True):
        assert area == pytest.approx(other, abs=0.011)
        np.testing.assert_allclose(outline, again, atol=0.011)


def answer(address: str, picture: bytes, square: list[float], mpp: float) -> Outputs:
    """Of our own client."""
    region = np.array([square], np.float32)
    request = {
        "TILE": [picture],
        "REGION": region,
        "WINDOW": region,
        "MPP": np.array([mpp], np.float32),
        "CORE": region,
    }
    return Server(address).infer("nuclei_tiles", request, timeout=120)


@pytest.fixture(scope="module")
def python_printed(arguments: list[str]) -> list[Nucleus]:
    return run(sys.executable, str(EXAMPLES / "nuclei.py"), *arguments[:-1])


def test_the_python_client_prints_what_our_own_gets(arguments: list[str], python_printed: list[Nucleus]) -> None:
    address, told, picture, *numbers, _ = arguments
    x, y, side, mpp = map(float, numbers)
    got = answer(address, Path(picture).read_bytes(), [x, y, side, side], mpp)
    types = json.loads(Path(told).read_text())["parameters"]["types"].split(",")
    outlines = np.split(got["CONTOUR"], got["CONTOUR_END"][:-1])
    expected = zip(got["TYPE"], got["AREA"].astype(float) * mpp**2, outlines, strict=True)

    assert len(python_printed) > 10
    assert_same(python_printed, [(types[number - 1], area, outline.tolist()) for number, area, outline in expected])


def test_the_javascript_client_prints_the_same(
    arguments: list[str], node_modules: Path, python_printed: list[Nucleus]
) -> None:
    found = run("node", str(EXAMPLES / "nuclei.js"), *arguments, NODE_PATH=str(node_modules))

    assert_same(found, python_printed)


def test_both_say_why_a_wrong_scale_is_refused(arguments: list[str], node_modules: Path) -> None:
    wrong = [*arguments[:-2], "1.5", arguments[-1]]
    for command in ([sys.executable, "nuclei.py", *wrong[:-1]], ["node", "nuclei.js", *wrong]):
        environment = {**os.environ, "NODE_PATH": str(node_modules)}
        done = subprocess.run(
            command, cwd=EXAMPLES, env=environment, capture_output=True, encoding="utf-8", timeout=120
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert "INVALID_ARGUMENT" in done.stderr
        assert "MPP 1.5" in done.stderr


@pytest.mark.slow
def test_a_slide_has_the_same_nuclei_in_batches_of_any_size(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "phantom.tiff"
    write_phantom(path, kind="he", size=(880, 448), mpp=0.25, seed=5, truth=None)
    command = [sys.executable, EXAMPLES / "slide.py", *arguments[:2], path]

    # One by one, every TILE_INDEX of an answer is 0: unless it goes on, two nuclei of this slide count twice.
    ones, others = (subprocess.run([*command, n], capture_output=True, text=True, timeout=300) for n in ("1", "4"))

    assert ones.stdout == others.stdout
    assert sum(int(line.split()[1]) for line in ones.stdout.splitlines()) > 10


def test_each_is_short() -> None:
    programs = [path for path in EXAMPLES.iterdir() if path.suffix in {".js", ".py"}]
    assert {path.name for path in programs} == {"nuclei.js", "nuclei.py", "scanner.py", "slide.py"}
    assert all(len(path.read_text().splitlines()) <= 65 for path in programs)


def test_the_server_describes_what_is_installed(arguments: list[str]) -> None:
    installed = of_installed("nuclei")

    assert {**json.loads(Path(arguments[1]).read_text()), "source": installed["source"]} == installed
