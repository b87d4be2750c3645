"""Stages, and the server, killed again and again during a run cost time, but no byte of the result and no memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc
from server_stages import stages_of
from tritonclient.utils import InferenceServerException

from histoserve.deploy.local.triton import LocalTriton

REPOSITORY = Path(__file__).parents[1] / "model_repository"
KILLS = 3


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalTriton]:
    with LocalTriton(REPOSITORY, models=["nuclei_tiles", "nuclei_slide"], state=tmp_path / "state") as triton:
        yield triton


def run(slide: Path, out: Path, triton: LocalTriton) -> subprocess.Popen:
    """An analysis with one tile under way at a time, so that none meets two kills."""
    histoserve = str(Path(sys.executable).with_name("histoserve"))
    options = ["--pipeline", "nuclei", "--server", triton.grpc, "--batch", "1", "--in-flight", "1", "-o", str(out)]
    return subprocess.Popen([histoserve, "analyze", str(slide), *options])


def shared_memory(triton: LocalTriton) -> tuple[int, int]:
    """How many regions the server's stages have, and of how many bytes."""
    regions = list(Path("/dev/shm").glob(f"{triton._plan.server_id}-*"))
    return len(regions), sum(region.stat().st_size for region in regions)


def tiles_done(triton: LocalTriton) -> int:
    """Since the server was started or started anew; 0 while it is not there."""
    with suppress(InferenceServerException), triton_grpc.InferenceServerClient(triton.grpc) as client:
        return client.get_inference_statistics("nuclei_watershed").model_stats[0].inference_count
    return 0


def kill(triton: LocalTriton, analysis: subprocess.Popen, number: int, done: int) -> None:
    """A stage, then the server itself, then all stages, once `done` tiles were done; until it is another server."""
    first, deadline = triton.pid, time.monotonic() + 120
    while tiles_done(triton) <= done and time.monotonic() < deadline:
        assert analysis.poll() is None, "over before the stage could be killed"
        time.sleep(0.05)
    stages = stages_of(first)
    for pid in (stages[:1], [first], stages)[number]:
        os.kill(pid, signal.SIGKILL)
    while triton.pid == first and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.slow
def test_stages_killed_during_a_run_change_neither_the_result_nor_shared_memory(
    own: LocalTriton, phantom: Path, expected: bytes, tmp_path: Path
) -> None:
    regions, size = shared_memory(own)

    analysis = run(phantom, tmp_path / "out", own)
    for number in range(KILLS):
        kill(own, analysis, number, done=0)
    assert analysis.wait(300) == 0

    assert next((tmp_path / "out").rglob("nuclei.geojson")).read_bytes() == expected
    assert own.log.read_text().count("started anew") == KILLS
    # Regions grow with what they hold; those of a dead server would be as many more.
    assert shared_memory(own)[0] == regions
    print(f"{size} bytes before, {shared_memory(own)[1]} after")
    assert shared_memory(own)[1] < 2 * size
    own.stop()
    assert shared_memory(own) == (0, 0)
