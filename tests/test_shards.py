"""An archive shared by several clients, real processes before a real Triton: every slide once, whatever dies."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from histoserve.client.results.result_json import read_result
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

COUNT = 2
SLIDES = ("a.tiff", "b.tiff", "c.tiff", "damaged.tiff", "e.tiff")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of slides; one of them is none."""
    folder = tmp_path_factory.mktemp("archive")
    for seed, name in enumerate(SLIDES):
        write_phantom(folder / name, kind="he", size=(700, 500), mpp=0.25, seed=seed, truth=None)
    (folder / "damaged.tiff").write_bytes(b"II*\0 and no more")
    (folder / "list.txt").write_text("# of 2026\n\n" + "\n".join(SLIDES) + "\n")
    return folder / "list.txt"


def start(archive: Path, out: Path, index: int, server: LocalTriton) -> "subprocess.Popen[bytes]":
    """As a pod of the chart's Indexed Job does."""
    shared = ["--list", str(archive), "--shard", f"{index}/{COUNT}", "--server", server.grpc]
    options = ["--pipeline", "tissue", "--at-once", "1", "--batch", "1", "--in-flight", "1", "-o", str(out)]
    return subprocess.Popen([str(Path(sys.executable).with_name("histoserve")), "analyze", *shared, *options])


def rows(out: Path, index: int) -> dict[str, str]:
    with (out / f"summary-{index}-of-{COUNT}.csv").open() as file:
        return {row["slide"]: row["state"] for row in csv.DictReader(file)}


def test_every_slide_is_analysed_once_though_one_client_is_killed_and_one_slide_is_none(
    archive: Path, server: LocalTriton, tmp_path: Path
) -> None:
    victim, other = (start(archive, tmp_path, index, server) for index in range(COUNT))
    first = tmp_path / "a" / "tissue" / "result.json"
    deadline = time.monotonic() + 200
    while not first.exists() and victim.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    made = first.stat().st_mtime_ns
    assert set(rows(tmp_path, 0).values()) > {"not finished"}

    again = start(archive, tmp_path, 0, server)
    assert (again.wait(200), other.wait(200)) == (0, 3)

    assert rows(tmp_path, 0) == {"a.tiff": "already there", "c.tiff": "complete", "e.tiff": "complete"}
    assert rows(tmp_path, 1) == {"b.tiff": "complete", "damaged.tiff": "failed"}
    assert first.stat().st_mtime_ns == made
    results = [read_result(path) for path in tmp_path.rglob("result.json")]
    assert sorted(each["slide"]["name"] for each in results if each) == ["a.tiff", "b.tiff", "c.tiff", "e.tiff"]
    assert not (tmp_path / "summary.csv").exists()


def test_a_client_without_a_share_has_nothing_to_do(archive: Path, tmp_path: Path) -> None:
    histoserve = str(Path(sys.executable).with_name("histoserve"))
    # No server is asked: nobody listens there.
    command = [histoserve, "analyze", "--list", str(archive), "--shard", "9/10", "--server", "127.0.0.1:9"]

    done = subprocess.run([*command, "--pipeline", "tissue", "-o", str(tmp_path)], capture_output=True, timeout=100)

    assert (done.returncode, done.stderr) == (0, b"")
