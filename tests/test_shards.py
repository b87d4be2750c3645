"""An archive shared by several clients, real processes before a real Triton: every slide once, whatever dies."""

import csv
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rendered_chart import DIGEST, merged, objects, values

from histoserve.client.results.result_json import read_result
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

pytest.importorskip("helm_python")

REPOSITORY = Path(__file__).parents[1] / "model_repository"
COUNT = 2
SLIDES = ("a.tiff", "b.tiff", "c.tiff", "damaged.tiff", "e.tiff")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTriton]:
    with LocalTriton(REPOSITORY, models=["tissue_tiles", "tissue_slide"], state=tmp_path_factory.mktemp("t")) as triton:
        yield triton


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
    """A pod of the chart's Indexed Job, but for places of this machine."""
    job = {"enabled": True, "image": {"repository": "r.example/client", "digest": DIGEST}, "clients": COUNT}
    more = {"pipelines": ["tissue"], "slidesClaim": "slides", "outClaim": "out", "atOnce": 1, "inFlight": 1}
    rendered = objects(merged(values("cpu"), {"archive": {**job, **more}}))
    [job] = [each for each in rendered.values() if each["kind"] == "Job"]
    [box] = job["spec"]["template"]["spec"]["containers"]
    places = {"/slides": str(archive.parent), "/out": str(out), "h.path.svc:8001": server.grpc}
    arguments = "\n".join(box["args"]).replace("$(JOB_COMPLETION_INDEX)", str(index))
    for there, here in places.items():
        arguments = arguments.replace(f"={there}", f"={here}")
    histoserve = str(Path(sys.executable).with_name(*box["command"]))
    return subprocess.Popen([histoserve, *arguments.split("\n"), "--batch", "1"])


def rows(out: Path, index: int) -> dict[str, str]:
    path = out / f"summary-{index}-of-{COUNT}.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {row["slide"]: row["state"] for row in csv.DictReader(file)}


def test_every_slide_is_analysed_once_though_one_client_is_killed_and_one_slide_is_none(
    archive: Path, server: LocalTriton, tmp_path: Path
) -> None:
    victim, other = (start(archive, tmp_path, index, server) for index in range(COUNT))
    first = tmp_path / "a" / "tissue" / "result.json"
    deadline = time.monotonic() + 200
    while "complete" not in rows(tmp_path, 0).values() and time.monotonic() < deadline:
        assert victim.poll() is None
        time.sleep(0.01)
    victim.kill()
    victim.wait()
    made = first.stat().st_mtime_ns
    assert "not finished" in rows(tmp_path, 0).values()

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
