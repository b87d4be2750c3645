"""What tests of every folder share."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histoserve.client import pipelines
from histoserve.client.cli import app
from histoserve.client.results.result_json import read_result
from histoserve.client.results.schema import schema_of
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

# ONNX Runtime reports to its maker from the moment of its import; conftest comes before the tests that import it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Two processes of tests share the cores: PyTorch's threads, spinning for each other, would slow down tenfold.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Where `serve` keeps compiled kernels: the tests, the servers and the commands that they start compile each once.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE / "histoserve" / "numba"))

ROOT = Path(__file__).parent.parent
REPOSITORY = ROOT / "model_repository"
Command = Callable[..., tuple[int, str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: the last of them would keep one worker while the other has nothing to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """What a test did to signals ends with it: a command that was interrupted ignores them, as would all it starts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data that stands beside the checkout; nothing of it belongs to the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        assert not os.environ.get("CI"), f"{folder} is missing: CI must not skip the tests on real data"
        pytest.skip(f"needs the real data in {folder}, which is not part of the project")
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    """A real Triton with the shipped repository, one for the whole session."""
    with LocalTriton(REPOSITORY, state=tmp_path_factory.mktemp("triton")) as triton:
        yield triton


@pytest.fixture(scope="session", autouse=True)
def _results_as_described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever result a test has left is as its pipeline's schema says."""
    yield
    # An environment from before this check lacks it: `make lint` brings it.
    from jsonschema import Draft202012Validator

    validator = cache(lambda pipeline: Draft202012Validator(schema_of(pipeline)))
    for path in tmp_path_factory.getbasetemp().glob("**/*/result.json"):
        result = read_result(path)
        # What a test's own tree holds as a further pipeline is not known here.
        if result is not None and result.get("pipeline", {}).get("name") in pipelines.names() and "schema" in result:
            validator(result["pipeline"]["name"]).validate(result)


@pytest.fixture(scope="session")
def histoserve() -> Command:
    """`histoserve(*arguments)` in this process → its exit code, and the standard error as one line."""

    def run(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [str(each) for each in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, re.sub(r"\s+", " ", done.stderr)

    return run


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine tiles of tissue with some 200 nuclei."""
    path = tmp_path_factory.mktemp("slide") / "phantom.tiff"
    write_phantom(path, kind="he", size=(1200, 1000), mpp=0.25, seed=4, truth=None)
    return path


@pytest.fixture(scope="session")
def expected(
    phantom: Path, server: LocalTriton, histoserve: Command, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The nuclei of the phantom, as an undisturbed run with default options writes them."""
    out = tmp_path_factory.mktemp("expected") / "out"
    code, told = histoserve("analyze", phantom, "--pipeline", "nuclei", "-o", out, "--server", server.grpc)
    assert code == 0, told
    content = (out / "phantom" / "nuclei" / "nuclei.geojson").read_bytes()
    assert content.count(b'"detection"') > 50
    return content


@pytest.fixture(scope="session")
def odd(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of odd slides (inputs/README.md beside the real data says what is right for each) and of `he.tiff`."""
    folder = tmp_path_factory.mktemp("odd")
    phantom = [Path(sys.executable).with_name("histoserve"), "phantom", folder / "he.tiff", "--size", "1200x1000"]
    for command in ([*phantom, "--seed", "3"], [sys.executable, shared.parent / "inputs" / "odd_slides.py", folder]):
        subprocess.run(command, check=True, timeout=120)
    return folder
