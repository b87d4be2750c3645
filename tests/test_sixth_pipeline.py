"""A further pipeline touches no file that is there: `sixth/` laid over a copy of the tree is one, whole."""

import hashlib
import json
import os
import shutil
import subprocess
import sysconfig
import time
import venv
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from histoserve.phantom import write_phantom

ROOT = Path(__file__).parents[1]
SIXTH = Path(__file__).parent / "sixth"
MOST_LINES = 120

pytestmark = pytest.mark.slow


def digests(tree: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((tree / name).read_bytes()).hexdigest() for name in names}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what git holds, the sixth pipeline beside the others, and its own environment in `.venv`."""
    tree = tmp_path / "tree"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in (name for name in listed.splitlines() if not name.startswith("tests/")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name, follow_symlinks=False)
    venv.create(tree / ".venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(tree / ".venv")}))
    # The tests' own dependencies, but not their .pth files, which lead to the checkout.
    (packages / "paths.pth").write_text(f"{tree / 'src'}\n{sysconfig.get_path('purelib')}\n")
    return tree


def started(tree: Path, *arguments: str) -> subprocess.Popen:
    command = [tree / ".venv" / "bin" / "python", "-m", "histoserve", *arguments]
    environment = {**os.environ, "XDG_STATE_HOME": str(tree / "state"), "XDG_CACHE_HOME": str(tree / "cache")}
    return subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def histoserve(tree: Path, *arguments: str) -> None:
    running = started(tree, *arguments)
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, said


def viewed(tree: Path) -> tuple[dict, bytes]:
    """What the page says of the slide, and a tile of what is not looked at."""
    page = started(tree, "view", "out/slide", "--slide", "slide.tiff")
    try:
        address = next(line.split()[1] for line in page.stdout if line.startswith("page"))
        with urlopen(f"{address}s/0/description.json", timeout=30) as answer:
            described = json.load(answer)
        return described, drawn(f"{address}s/0/layer/0/not-seen/0/0_0.png")
    finally:
        page.terminate()
        page.communicate(timeout=30)


def drawn(address: str, within_s: float = 30) -> bytes:
    """A tile, asked for again while the page says that its layer is still read."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urlopen(address, timeout=within_s) as answer:
                return answer.read()
        except HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(float(error.headers["Retry-After"]))


def test_it_is_short() -> None:
    added = [path for path in SIXTH.rglob("*") if path.suffix in {".py", ".pbtxt"}]
    assert sum(len(path.read_text().splitlines()) for path in added) <= MOST_LINES


def test_it_is_trained_exported_served_analysed_and_viewed(tree: Path) -> None:
    there = [str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    before = digests(tree, there)
    shutil.copytree(SIXTH, tree, dirs_exist_ok=True)
    write_phantom(tree / "slide.tiff", kind="he", size=(400, 400), mpp=0.5, seed=3, truth=None)

    histoserve(tree, "train", "darkness", "--epochs", "2", "-o", "out")
    histoserve(tree, "export", "darkness", "--weights", "out/darkness.pt", "--replace")
    histoserve(tree, "analyze", "slide.tiff", "--pipeline", "darkness", "-o", "out")

    result = json.loads((tree / "out/slide/darkness/result.json").read_text())
    assert 0 < result["result"]["darkness"] < 1
    assert (tree / "out/slide/darkness/overview.png").stat().st_size > 1000
    shown, layer = viewed(tree)
    assert [each["pipeline"] for each in shown["results"]] == ["darkness"]
    assert layer.startswith(b"\x89PNG")
    assert digests(tree, there) == before
