"""Replicas come, go and die in the middle of a slide, behind the chart's Envoy, which finds them by name.

What a network is stands for none here: it waits, and calls nuclei what is dark, so that two processors suffice.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from server_stages import stages_of

from histoserve.deploy.local import envoy
from histoserve.deploy.local.triton import LocalTriton
from histoserve.phantom import write_phantom

pytest.importorskip("dnslib")
pytestmark = pytest.mark.skipif(envoy.installed() is None, reason=f"needs Envoy: {envoy.INSTALL}")

from histoserve.benchmark.cluster import Cluster  # noqa: E402
from histoserve.benchmark.waiting import MODELS, waiting_repository  # noqa: E402

MS_A_TILE = 400
GONE_S = 5.0
SOON_S = 60.0
"""For a machine that has other work."""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of one network, and of another that finds other nuclei."""
    folder = tmp_path_factory.mktemp("repositories")
    return waiting_repository(folder / "a", MS_A_TILE), waiting_repository(folder / "b", MS_A_TILE, dark=130)


@pytest.fixture(scope="module")
def cluster(repositories: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(repositories[0], 2, models=MODELS, state=tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of two replicas."""
    path = tmp_path_factory.mktemp("slide") / "phantom.tiff"
    write_phantom(path, kind="he", size=(2400, 1600), mpp=0.25, seed=4, truth=None)
    return path


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, slide: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed")
    with analysis(slide, out, cluster) as run:
        assert run.wait(120) == 0
    return nuclei(out)


@pytest.fixture
def two(cluster: Cluster) -> list[LocalTriton]:
    """Both ready, whatever the test before has done."""
    while len(cluster.replicas) < 2:
        cluster.add()
    assert eventually(lambda: all(map(ready, cluster.replicas)) and healthy(cluster) == 2)
    return list(cluster.replicas)


@contextmanager
def analysis(slide: Path, out: Path, cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    options = ["--pipeline", "nuclei", "--server", cluster.address, "--batch", "1", "--quiet", "-o", str(out)]
    command = [str(Path(sys.executable).with_name("histoserve")), "analyze", str(slide), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def nuclei(out: Path) -> bytes:
    """Of a result in which no tile is missing."""
    content = next(out.rglob("nuclei.geojson")).read_bytes()
    assert content.count(b'"detection"') > 50
    tiles = json.loads(next(out.rglob("result.json")).read_text())["tiles"]
    assert (tiles["failed"], tiles["sent"]) == ([], tiles["planned"])
    return content


def tries(out: Path) -> dict[str, int]:
    """What became of the requests that the client sent."""
    [record] = json.loads(next(out.rglob("result.json")).read_text())["servers"]
    return record


def ready(server: LocalTriton) -> bool:
    with suppress(OSError):
        return urlopen(f"http://{server.http}/v2/health/ready", timeout=5).status == 200
    return False


def healthy(cluster: Cluster) -> int:
    return stat(f"{cluster.balancer.observe}/stats/prometheus", 'membership_healthy{envoy_cluster_name="replicas"}')


def decoded(server: LocalTriton) -> int:
    """Since it was started, or started anew; 0 while it is not there."""
    with suppress(OSError):
        return stat(
            f"http://{server.metrics}/metrics", 'nv_inference_request_success{model="nuclei_decode",version="1"}'
        )
    return 0


def stat(url: str, name: str) -> int:
    with urlopen(url, timeout=10) as page:
        lines = page.read().decode().splitlines()
    return next((int(float(line.split()[-1])) for line in lines if name in line), 0)


def eventually(condition: Callable[[], bool], within_s: float = SOON_S) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def begun(server: LocalTriton, before: int) -> bool:
    return eventually(lambda: decoded(server) > before)


def stage(server: LocalTriton, model: str) -> int:
    """Process number of a stage."""
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0") for pid in stages_of(server.pid)}
    return next(pid for pid, words in lines.items() if any(f"/{model}/" in word for word in words))


@contextmanager
def nobody_restarts(servers: list[LocalTriton]) -> Iterator[None]:
    """As on a cluster, where a probe must have failed for long."""
    for server in servers:
        os.kill(server._supervisor.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for server in servers:
            os.kill(server._supervisor.pid, signal.SIGCONT)


def test_a_dead_stage_of_one_replica_is_no_black_hole(
    cluster: Cluster, two: list[LocalTriton], undisturbed: bytes, slide: Path, tmp_path: Path
) -> None:
    victim, first, before = two[0], two[0].pid, decoded(two[0])
    with analysis(slide, tmp_path, cluster) as run, nobody_restarts([victim]):
        assert begun(victim, before)
        os.kill(stage(victim, "nuclei_network"), signal.SIGKILL)
        assert run.wait(120) == 0
        assert ready(victim)
    # The next test must not take it for the one that is started anew.
    assert eventually(lambda: victim.pid != first and ready(victim))

    assert nuclei(tmp_path) == undisturbed
    print(tries(tmp_path))
    # It gets one now and then, to see whether it is there again.
    assert 1 <= tries(tmp_path)["lost"] + tries(tmp_path)["unavailable"] < 12


@pytest.mark.slow
def test_while_both_are_gone_the_client_waits_and_then_finishes(
    cluster: Cluster, two: list[LocalTriton], undisturbed: bytes, slide: Path, tmp_path: Path
) -> None:
    before = decoded(two[0])
    with analysis(slide, tmp_path, cluster) as run:
        assert begun(two[0], before)
        with nobody_restarts(two):
            for server in two:
                os.kill(server.pid, signal.SIGKILL)
            time.sleep(GONE_S)
            assert run.poll() is None
        assert run.wait(180) == 0

    assert nuclei(tmp_path) == undisturbed


def test_a_drain_as_the_chart_does_it_turns_nobody_away(
    cluster: Cluster, two: list[LocalTriton], undisturbed: bytes, slide: Path, tmp_path: Path
) -> None:
    before = decoded(two[0])
    with analysis(slide, tmp_path, cluster) as run:
        assert begun(two[0], before)
        cluster.drain(two[0])
        assert not ready(two[0])
        assert run.wait(120) == 0

    assert nuclei(tmp_path) == undisturbed
    record = tries(tmp_path)
    assert (record["unavailable"], record["lost"], record["internal"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_rollout_in_the_middle_of_a_slide_yields_no_result_and_then_the_new_one(
    cluster: Cluster, repositories: tuple[Path, Path], undisturbed: bytes, slide: Path, tmp_path: Path
) -> None:
    new = cluster.start(repositories[1])
    old = list(cluster.replicas)
    before = decoded(old[0])
    with analysis(slide, tmp_path, cluster) as run:
        assert begun(old[0], before)
        cluster.enter(new)
        code, (_, told) = run.wait(120), run.communicate()
    assert decoded(new) > 0
    assert code == 1
    assert "two networks" in " ".join(told.split())
    assert not list(tmp_path.rglob("nuclei.geojson"))

    with ThreadPoolExecutor() as pool:
        list(pool.map(cluster.drain, old))
    with analysis(slide, tmp_path, cluster) as run:
        assert run.wait(120) == 0
    # It went on from no answer of the old one, which its journal held.
    assert nuclei(tmp_path) != undisturbed
