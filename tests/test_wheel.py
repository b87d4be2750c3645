"""What is installed from a wheel, and not from the checkout, serves."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import cv2
import pytest
from fresh_clone import clone, tracked

from histoserve.phantom import write_phantom

PACKAGES = ("benchmark", "client", "deploy", "ensemble", "export", "model_repository", "phantom")

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, **variables: str) -> str:
    """What the command printed; it must end with 0."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    arguments = [str(each) for each in command]
    done = subprocess.run(
        arguments, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A wheel that was built from the source distribution of a clone, and what building them printed."""
    made = tmp_path_factory.mktemp("made")
    source = f"import setuptools.build_meta as build; build.build_sdist({str(made)!r})"
    printed = run(sys.executable, "-c", source, cwd=clone(tmp_path_factory.mktemp("clone")))
    wheel = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--verbose", "--wheel-dir"]
    printed += run(*wheel, made, *made.glob("*.tar.gz"), cwd=made)
    return next(made.glob("*.whl")), printed


def test_the_wheel_holds_all_that_git_holds_of_its_packages(build: tuple[Path, str]) -> None:
    with zipfile.ZipFile(build[0]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    links = {f"src/histoserve/{package}" for package in PACKAGES}
    names = tracked()
    top = {name.removeprefix("src/") for name in names if name.startswith("src/") and name not in links}
    assert held == top | {f"histoserve/{name}" for name in names if name.split("/")[0] in PACKAGES}


def test_building_warns_of_nothing(build: tuple[Path, str]) -> None:
    lines = [line for line in build[1].splitlines() if "warn" in line.lower()]
    assert not [line for line in lines if "copying" not in line and "adding" not in line]


def test_an_installed_wheel_analyses_from_another_folder(build: tuple[Path, str], tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "environment")}))
    # Of the tests' environment the dependencies alone: its .pth files, which lead to the checkout, are not read there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = tmp_path / "environment" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", build[0], cwd=tmp_path)
    found = run(python, "-c", "import histoserve.ensemble as e; print(e.__file__)", cwd=tmp_path)
    assert found.startswith(str(packages))

    write_phantom(tmp_path / "slide.tiff", kind="he", size=(400, 400), mpp=0.25, seed=3, truth=None)
    cv2.imwrite(str(tmp_path / "a tile.png"), cv2.imread(str(tmp_path / "slide.tiff")))
    order = ["analyze", tmp_path / "a tile.png", "--mpp", 0.25, "--pipeline", "nuclei", "-o", "out"]
    # Compiling the stages for this one tile takes a minute, interpreting them two seconds.
    run(python.with_name("histoserve"), *order, cwd=tmp_path, NUMBA_DISABLE_JIT="1", XDG_STATE_HOME=str(tmp_path))
    (result,) = (json.loads(path.read_text()) for path in tmp_path.glob("out/**/result.json"))
    assert result["result"]["nuclei"]["count"] > 10
    # The server was started here, so it is known what ran the networks.
    assert [server["runs"] for server in result["servers"]] == [{"CPUExecutionProvider": ["nuclei_network"]}]
