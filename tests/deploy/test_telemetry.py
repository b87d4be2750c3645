"""Nothing that we start reports to anybody, and nothing is written but where our own state belongs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from histoserve.deploy.local.wheel import TritonWheel

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmark", "client", "deploy", "ensemble", "export", "model_repository", "phantom")
START = """
import sys, time
from pathlib import Path
from histoserve.deploy.local.triton import LocalTriton
with LocalTriton(Path(sys.argv[1]), models=["where_step", "convolving"]):
    # ONNX Runtime looked its collector's address up within two seconds.
    time.sleep(3)
"""
CONNECTION = re.compile(r"(?:connect|sendto|sendmsg)\(.*?\{sa_family=AF_INET6?, (.*?)\}")
WRITTEN = re.compile(r'openat\([^"]*"([^"]+)", [^)\n]*O_(?:WRONLY|RDWR|CREAT)')


def fresh_home(folder: Path) -> dict[str, str]:
    """The environment of a new user, without what these tests set."""
    own = {"HOME": "", "XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "TMPDIR": "tmp"}
    for each in own.values():
        (folder / each).mkdir(exist_ok=True, parents=True)
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    return {**kept, **{name: str(folder / each) for name, each in own.items()}}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_server_writes_only_its_log_and_its_cache(repository: Path, tmp_path: Path) -> None:
    environment = fresh_home(tmp_path / "home")

    subprocess.run([sys.executable, "-c", START, repository], env=environment, check=True, timeout=60)

    assert [re.sub(r"-\d+-[0-9a-f]{8}", "", name) for name in files(tmp_path / "home")] == [
        "state/histoserve/histoserve.log"
    ]


def test_a_server_looks_no_name_up_and_connects_to_nobody_else(repository: Path, tmp_path: Path) -> None:
    strace, trace = shutil.which("strace"), tmp_path / "trace"
    command = [sys.executable, "-c", START, repository]
    tracer = [str(strace), "-f", "-qq", "-s", "300", "-e", "trace=network,openat", "-o", str(trace)]
    if strace is None or subprocess.run([*tracer, "true"], check=False).returncode:
        pytest.skip("needs strace and the right to use it")

    subprocess.run([*tracer, *command], env=fresh_home(tmp_path / "home"), check=True, timeout=120)
    text = trace.read_text()

    reached = CONNECTION.findall(text)
    assert reached
    assert [each for each in reached if '"127.0.0.1"' not in each] == []
    assert [line for line in text.splitlines() if '"/etc/resolv.conf"' in line] == []
    places = (str(tmp_path), "/dev/", "/proc/")
    assert [path for path in WRITTEN.findall(text) if not path.startswith(places) and "__pycache__" not in path] == []


@pytest.mark.parametrize("package", ["benchmark", "deploy.local.backends.onnxruntime", "export"])
def test_onnx_runtime_writes_nothing_once_a_package_that_uses_it_was_imported(package: str, tmp_path: Path) -> None:
    script = f"import histoserve.{package}, onnxruntime; onnxruntime.SessionOptions()"

    subprocess.run([sys.executable, "-c", script], env=fresh_home(tmp_path), check=True, timeout=60)

    assert files(tmp_path) == []


def test_every_file_that_imports_onnx_runtime_lies_in_such_a_package() -> None:
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text(), re.MULTILINE):
            packages = [parent / "__init__.py" for parent in path.parents if parent.is_relative_to(ROOT)]
            assert any("ORT_DISABLE_TELEMETRY" in each.read_text() for each in packages if each.exists()), path


def test_who_wants_to_report_may() -> None:
    environment = TritonWheel.installed().environment({"ORT_DISABLE_TELEMETRY": "0"})

    assert environment["ORT_DISABLE_TELEMETRY"] == "0"
