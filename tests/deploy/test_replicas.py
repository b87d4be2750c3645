"""Two real Tritons behind the real Envoy: what dies there costs time, but no tile and no byte of the result."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from server_stages import stages_of
from tritonclient.grpc import service_pb2

from histoserve.client.errors import Refused, ServerError
from histoserve.client.servers import Servers
from histoserve.client.wire import Server
from histoserve.deploy.local import envoy
from histoserve.deploy.local.envoy import CONFIG, filled
from histoserve.deploy.local.replicas import LocalReplicas
from histoserve.deploy.local.triton import LocalTriton

pytestmark = pytest.mark.skipif(envoy.installed() is None, reason=f"needs Envoy: {envoy.INSTALL}")

REPOSITORY = Path(__file__).parents[2] / "model_repository"
HEALTHY = re.compile(r'^envoy_cluster_membership_healthy{envoy_cluster_name="replicas"} (\d+)', re.MULTILINE)
EJECTED = re.compile(
    r'^envoy_cluster_outlier_detection_ejections_enforced_total{envoy_cluster_name="replicas"} (\d+)', re.MULTILINE
)
RETRIED = re.compile(r'^envoy_cluster_upstream_rq_retry_success{envoy_cluster_name="replicas"} (\d+)', re.MULTILINE)
ANSWERED = re.compile(r'^nv_inference_request_success{model="nuclei_decode",version="1"} (\d+)', re.MULTILINE)
REJOINED_S = 40.0
"""For a machine that has other work; on a quiet one it is under 10."""


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalReplicas]:
    models = ["nuclei_tiles", "nuclei_slide"]
    with LocalReplicas(REPOSITORY, 2, models=models, state=tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(replicas: LocalReplicas, phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("undisturbed")
    assert analysis(phantom, out, replicas).wait(200) == 0
    return nuclei(out)


@pytest.fixture
def both_there(replicas: LocalReplicas) -> None:
    # Envoy may not have noticed yet what the test before has done.
    assert eventually(lambda: all(map(ready, replicas.servers)) and stat(replicas, HEALTHY) == 2, REJOINED_S)


def ready(server: LocalTriton) -> bool:
    with suppress(OSError):
        return urlopen(f"http://{server.http}/v2/health/ready", timeout=5).status == 200
    return False


def analysis(slide: Path, out: Path, replicas: LocalReplicas) -> subprocess.Popen[bytes]:
    options = ["--pipeline", "nuclei", "--server", *replicas.addresses, "--batch", "1", "-o", str(out)]
    return subprocess.Popen([str(Path(sys.executable).with_name("histoserve")), "analyze", str(slide), *options])


def nuclei(out: Path) -> bytes:
    content = next(out.rglob("nuclei.geojson")).read_bytes()
    assert content.count(b'"detection"') > 50
    return content


def stat(replicas: LocalReplicas, pattern: re.Pattern[str]) -> int:
    assert replicas.balancer is not None
    return number(f"{replicas.balancer.observe}/stats/prometheus", pattern)


def answered(server: LocalTriton) -> int:
    """Pictures decoded since the server was started, or started anew; 0 while it is not there."""
    with suppress(OSError):
        return number(f"http://{server.metrics}/metrics", ANSWERED)
    return 0


def number(url: str, pattern: re.Pattern[str]) -> int:
    with urlopen(url, timeout=10) as page:
        found = pattern.search(page.read().decode())
    return int(found[1]) if found else 0


def eventually(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def picture(side: int) -> dict[str, np.ndarray | list[bytes]]:
    """A request of one window, in `3 * side**2` bytes."""
    where = np.array([[0, 0, 512, 512]], np.float32)
    tile = b"P6\n%d %d\n255\n" % (side, side) + bytes(3 * side**2)
    return {"TILE": [tile], "REGION": where, "WINDOW": where, "SLIDE_MPP": np.array([0.25], np.float32)}


def test_the_configuration_is_valid_as_it_stands_and_as_it_is_filled(tmp_path: Path) -> None:
    (tmp_path / "filled.yaml").write_text(filled(8001, 9901, range(9001, 9065)))
    for config in (CONFIG, tmp_path / "filled.yaml"):
        command = [str(envoy.installed()), "--mode", "validate", "--disable-hot-restart", "-l", "warning", "-c", config]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        # Nothing is said of fields that the next Envoy will not know.
        assert (done.returncode, done.stderr.strip()) == (0, ""), done.stderr


def test_requests_of_3_mb_are_spread_evenly(replicas: LocalReplicas) -> None:
    before = [answered(server) for server in replicas.servers]
    server, request = Server(*replicas.addresses), picture(1024)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: server.infer("nuclei_decode", request, 60), range(100)))

    shares = [answered(each) - old for each, old in zip(replicas.servers, before, strict=True)]
    print(f"{shares} requests")
    assert sum(shares) == 100
    assert all(40 <= share <= 60 for share in shares)


def test_only_what_a_client_needs_is_let_through(replicas: LocalReplicas) -> None:
    server = Server(*replicas.addresses)
    load = server._stub.RepositoryModelLoad.future(service_pb2.RepositoryModelLoadRequest(model_name="nuclei_slide"))

    assert load.exception(timeout=20).code().name == "PERMISSION_DENIED"
    # A picture in a request of more than 64 MiB: its end, as no smaller one helps by itself.
    with pytest.raises(Refused, match=r"larger than max \(64 MiB\)"):
        server.infer("nuclei_decode", picture(4800), 60)


@pytest.mark.slow
def test_a_replica_that_is_killed_in_the_middle_of_a_slide_costs_nothing_and_comes_back(
    replicas: LocalReplicas, undisturbed: bytes, both_there: None, phantom: Path, tmp_path: Path
) -> None:
    victim = replicas.servers[0]
    began, run = answered(victim), analysis(phantom, tmp_path, replicas)
    assert eventually(lambda: answered(victim) > began, 100)
    os.kill(victim.pid, signal.SIGKILL)
    killed = time.monotonic()
    assert eventually(lambda: stat(replicas, HEALTHY) == 1, 20)
    assert eventually(lambda: stat(replicas, HEALTHY) == 2, REJOINED_S)
    print(f"rejoined {time.monotonic() - killed:.1f} s after kill -9")

    assert run.wait(200) == 0
    assert nuclei(tmp_path) == undisturbed


@pytest.mark.slow
def test_a_replica_whose_stage_died_attracts_no_requests(
    replicas: LocalReplicas, undisturbed: bytes, both_there: None, phantom: Path, tmp_path: Path
) -> None:
    victim, first = replicas.servers[1], replicas.servers[1].pid
    began, ejected, run = answered(victim), stat(replicas, EJECTED), analysis(phantom, tmp_path, replicas)
    assert eventually(lambda: answered(victim) > began, 100)
    # Nobody starts the server anew, as on a cluster until its probe has failed for long.
    os.kill(victim._supervisor.pid, signal.SIGSTOP)
    try:
        for stage in stages_of(victim.pid):
            os.kill(stage, signal.SIGKILL)
        assert run.wait(200) == 0
        assert ready(victim)
    finally:
        os.kill(victim._supervisor.pid, signal.SIGCONT)

    assert nuclei(tmp_path) == undisturbed
    assert stat(replicas, EJECTED) > ejected
    assert eventually(lambda: victim.pid != first and ready(victim), REJOINED_S)


@pytest.mark.slow
def test_while_both_are_gone_the_client_waits(replicas: LocalReplicas, both_there: None) -> None:
    servers, request = Servers([Server(*replicas.addresses)], deadline=200), picture(512)
    for victim in replicas.servers:
        os.kill(victim.pid, signal.SIGKILL)
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(servers.infer, "nuclei_decode", request) for _ in range(8)]
        assert eventually(lambda: stat(replicas, HEALTHY) == 0, 20)

    assert {answer.result()["IMAGE"].tobytes() for answer in answers} == {bytes(3 * 512**2)}
    [record] = servers.record()
    print(record)
    # It slows down: four threads for some ten seconds.
    assert 4 <= record["unavailable"] + record["lost"] < 120


@pytest.mark.slow
def test_what_a_replica_that_hangs_had_goes_to_the_other(replicas: LocalReplicas, both_there: None) -> None:
    servers, request = Servers([Server(*replicas.addresses)], deadline=200), picture(512)
    victim, retried = replicas.servers[0], stat(replicas, RETRIED)
    os.kill(victim.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: servers.infer("nuclei_decode", request), range(8)))
    finally:
        os.kill(victim.pid, signal.SIGCONT)

    assert {answer["IMAGE"].tobytes() for answer in answers} == {bytes(3 * 512**2)}
    assert stat(replicas, RETRIED) > retried


def test_a_killed_envoy_is_started_anew(replicas: LocalReplicas, both_there: None) -> None:
    assert replicas.balancer is not None
    [first] = stages_of(replicas.balancer._keeper.pid)
    os.kill(first, signal.SIGKILL)

    def serves() -> bool:
        with suppress(ServerError):
            return bool(Server(*replicas.addresses).version())
        return False

    assert eventually(serves, 20)
    assert stages_of(replicas.balancer._keeper.pid) != [first]
