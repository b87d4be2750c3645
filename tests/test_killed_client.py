"""A client that is killed within a slide, before a real Triton: what the third run leaves, and what all three sent."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc

from histoserve.client.journal import DIGEST_BYTES, LENGTH_BYTES
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

MOST_SENT = 1.05
"""Tiles sent in three runs, to tiles planned."""


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "he.tiff"
    write_phantom(path, kind="he", size=(1600, 1200), mpp=0.5, seed=4, truth=None)
    return path


def command(slide: Path, out: Path, server: LocalTriton) -> list[str]:
    histoserve = str(Path(sys.executable).with_name("histoserve"))
    options = ["--server", server.grpc, "--batch", "1", "--in-flight", "1"]
    return [histoserve, "analyze", str(slide), "--pipeline", "peakmap", "-o", str(out), *options]


def asked(server: LocalTriton) -> int:
    """Requests of one tile each that came to the server so far."""
    client = triton_grpc.InferenceServerClient(server.grpc)
    [stats] = client.get_inference_statistics("peakmap_tiles").model_stats
    return int(stats.inference_stats.success.count + stats.inference_stats.fail.count)


def answered(out: Path) -> int:
    """Records in the journal but the first."""
    count = -1
    for path in out.glob("he/.unfinished-*/journal"):
        data, at = path.read_bytes(), 0
        while at + LENGTH_BYTES <= len(data):
            at += LENGTH_BYTES + DIGEST_BYTES + int.from_bytes(data[at : at + LENGTH_BYTES], "little")
            count += at <= len(data)
    return count


def kill_at(tiles: int, out: Path, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
    process = start()
    while answered(out) < tiles:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.kill()
    process.wait()


def test_killed_at_a_third_and_at_two_thirds_the_third_run_ends_with_the_same_bytes(
    slide: Path, server: LocalTriton, tmp_path: Path
) -> None:
    before = asked(server)
    subprocess.run(command(slide, tmp_path / "whole", server), check=True, timeout=300)
    planned = asked(server) - before
    again = command(slide, tmp_path / "killed", server)
    for share in (1 / 3, 2 / 3):
        kill_at(round(planned * share), tmp_path / "killed", lambda: subprocess.Popen(again))
    subprocess.run(again, check=True, timeout=300)
    sent = asked(server) - before - planned

    whole, killed = (tmp_path / out / "he/peakmap/peakmap.geojson" for out in ("whole", "killed"))
    assert killed.read_bytes() == whole.read_bytes()
    assert planned > 50
    assert sent / planned <= MOST_SENT
    assert not list(tmp_path.glob("killed/he/.*"))
