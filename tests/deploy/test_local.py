import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from histoserve.deploy.local.ports import ANY, chosen
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError

NOW = np.zeros(1, np.float32)
SERVE_UNTIL_KILLED = """
import signal, sys, time
from pathlib import Path
from histoserve.deploy.local.triton import LocalTriton
# A shell lets its background processes ignore Ctrl-C, nohup a hang-up, and so those that run these tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with LocalTriton(Path(sys.argv[1]), models=["where"], state=Path(sys.argv[2])) as triton:
    print(triton.pid, triton.grpc, flush=True)
    time.sleep(600)
"""
STRICT = """
class TritonPythonModel:
    def initialize(self, args):
        raise ValueError("strict: parameter 'threshold': wanted 0 to 1, got 6")
"""
# Loads, then does not, then does again: `loads` counts.
FLAKY = """
from pathlib import Path
loads = Path(__file__).with_name("loads")
loads.write_text(loads.read_text() + "x" if loads.exists() else "x")
if len(loads.read_text()) in (2, 3):
    raise OSError("not now")
"""
SERVE = "import sys; from pathlib import Path; from histoserve.deploy.local.serve import serve; "
SERVE += "sys.exit(serve(Path(sys.argv[1]), *map(int, sys.argv[2:])))"


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def eventually(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stubs_of(server: int) -> list[int]:
    statuses = [(int(path.parent.name), path.read_text()) for path in Path("/proc").glob("[0-9]*/status")]
    return [pid for pid, status in statuses if f"PPid:\t{server}\n" in status]


@pytest.fixture
def where(repository: Path, tmp_path: Path):
    with LocalTriton(repository, models=["where_step"], state=tmp_path) as triton:
        yield triton


def test_the_stages_run_in_the_environment_of_the_caller(triton, ask) -> None:
    prefix, package, numpy, mark, folder = ask(triton, "where", SECONDS=NOW)["ABOUT"]

    assert prefix.decode() == sys.prefix
    assert package.decode().endswith("deploy/__init__.py")
    assert numpy.decode() == np.__version__
    assert mark == b"given"
    assert folder.decode() != os.getcwd()


def test_every_service_listens_on_loopback_only(triton) -> None:
    for address in (triton.grpc, triton.http, triton.metrics):
        port = int(address.removeprefix("127.0.0.1:"))
        socket.create_connection(("127.0.0.1", port)).close()
        # Another address of this machine, which a server on 0.0.0.0 would answer on.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))


def test_two_servers_run_at_once_and_end_alone(triton, ask, repository, tmp_path) -> None:
    with LocalTriton(repository, models=["where"], state=tmp_path) as second:
        server, stub = second.pid, int(ask(second, "where", SECONDS=NOW)["PID"][0])
        assert stub != ask(triton, "where", SECONDS=NOW)["PID"][0]

    assert not exists(server)
    assert not exists(stub)
    assert ask(triton, "where", SECONDS=NOW)["PID"].size == 1
    assert second.log.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [second.log.name]


@pytest.mark.parametrize(
    ("model", "words"),
    [("broken", ["failed to load 'broken'", "no weights here"]), ("nowhere", ["nowhere", "not found"])],
)
def test_a_model_that_does_not_load_is_named_with_its_reason_and_the_log(repository, tmp_path, model, words) -> None:
    server = LocalTriton(repository, models=[model], state=tmp_path)

    with pytest.raises(LocalTritonError) as failure:
        server.start()

    message = str(failure.value)
    assert all(word in message for word in [*words, "code 1", str(server.log), str(repository)])
    assert "\n" not in message
    assert server.wait() == 1


def test_a_stage_that_refuses_its_parameters_ends_the_start_with_its_words(repository, tmp_path) -> None:
    (tmp_path / "strict" / "1").mkdir(parents=True)
    config = (repository / "where" / "config.pbtxt").read_text()
    (tmp_path / "strict" / "config.pbtxt").write_text(config)
    (tmp_path / "strict" / "1" / "model.py").write_text(STRICT)
    began = time.monotonic()

    with pytest.raises(LocalTritonError) as failure:
        LocalTriton(tmp_path, state=tmp_path / "state").start()

    words = "failed to load 'strict': ValueError: strict: parameter 'threshold': wanted 0 to 1, got 6 (model repository"
    assert words in str(failure.value)
    assert time.monotonic() - began < 60  # of the 300 that a start may take


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_a_server_that_is_not_ready_in_time_is_ended(repository, tmp_path, ctrl_c) -> None:
    server = LocalTriton(repository, models=["where"], state=tmp_path, timeout_s=0.01)
    before = signal.signal(signal.SIGINT, ctrl_c)

    try:
        with pytest.raises(LocalTritonError, match=r"not ready within 0\.01 s"):
            server.start()
    finally:
        signal.signal(signal.SIGINT, before)

    assert server.wait(timeout_s=0) is not None
    assert [path.name for path in tmp_path.iterdir()] == [server.log.name]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_when_the_parent_is_killed(repository, tmp_path, number) -> None:
    command = [sys.executable, "-c", SERVE_UNTIL_KILLED, repository, tmp_path]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server = int(parent.stdout.readline().split()[0])
    stubs = stubs_of(server)

    parent.send_signal(number)
    parent.communicate()

    assert stubs
    assert eventually(lambda: not any(map(exists, [server, *stubs])), within_s=10)
    assert eventually(lambda: not list(Path("/dev/shm").glob(f"histoserve-{parent.pid}-*")), within_s=10)


def test_nothing_is_left_when_the_supervisor_is_killed(where) -> None:
    server, stubs = where.pid, stubs_of(where.pid)

    os.kill(where._supervisor.pid, signal.SIGKILL)

    assert where.wait() == -signal.SIGKILL
    assert eventually(lambda: not any(map(exists, [server, *stubs])), within_s=10)


def test_a_killed_stub_fails_its_request_and_the_server_recovers(where, ask) -> None:
    stub = int(ask(where, "where_step", SECONDS=NOW)["PID"][0])
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(ask, where, "where_step", SECONDS=np.full(1, 3, np.float32))
        time.sleep(0.5)
        os.kill(stub, signal.SIGKILL)
        with pytest.raises(InferenceServerException) as failure:
            in_flight.result()

    assert failure.value.status() in ("StatusCode.UNAVAILABLE", "StatusCode.INTERNAL")
    assert eventually(lambda: answers(where, ask), within_s=30)
    assert ask(where, "where", SECONDS=NOW)["PID"][0] != stub
    assert where.wait(timeout_s=0) is None


def test_a_start_anew_that_fails_is_tried_again(repository, tmp_path, ask) -> None:
    model = tmp_path / "models" / "where"
    shutil.copytree(repository / "where", model)
    (model / "1" / "model.py").write_text(FLAKY + (repository / "where" / "1" / "model.py").read_text())

    with LocalTriton(tmp_path / "models", state=tmp_path) as server:
        os.kill(int(ask(server, "where", SECONDS=NOW)["PID"][0]), signal.SIGKILL)
        assert eventually(lambda: (model / "1" / "loads").read_text() == "xxxx", within_s=60)
        assert eventually(lambda: answers(server, ask, "where"), within_s=30)


def test_dead_stages_leave_no_shared_memory(where, ask) -> None:
    def regions() -> int:
        return len(list(Path("/dev/shm").glob(f"{where._plan.server_id}*")))

    before = regions()
    for _ in range(3):
        os.kill(int(ask(where, "where_step", SECONDS=NOW)["PID"][0]), signal.SIGKILL)
        first = where.pid
        assert eventually(lambda first=first: where.pid != first and answers(where, ask), within_s=30)

    assert before == regions() == 2  # the stage's and the lock


def test_the_supervisor_hardly_works_while_nothing_happens(triton) -> None:
    def spent_s() -> float:
        return int(Path(f"/proc/{triton._supervisor.pid}/schedstat").read_text().split()[0]) / 1e9

    before = spent_s()
    time.sleep(2)

    assert spent_s() - before < 0.02  # 1 % of a core


def test_a_client_that_pings_while_a_stage_works_is_not_cut_off(triton) -> None:
    # A server of Triton's own settings says GOAWAY "too_many_pings" after five of these.
    pings = [("grpc.keepalive_time_ms", 1200), ("grpc.http2.max_pings_without_data", 0)]
    pings += [("grpc.keepalive_permit_without_calls", 1)]
    seconds = triton_grpc.InferInput("SECONDS", [1], "FP32")
    seconds.set_data_from_numpy(np.full(1, 8, np.float32))

    with triton_grpc.InferenceServerClient(triton.grpc, channel_args=pings) as client:
        assert client.infer("where", [seconds], client_timeout=60).as_numpy("PID").size == 1


def test_a_stopped_stage_does_not_hinder_the_end(where) -> None:
    stubs = stubs_of(where.pid)
    os.kill(stubs[0], signal.SIGSTOP)

    where.stop()

    assert not any(map(exists, stubs))


def answers(server, ask, model="where_step") -> bool:
    try:
        return ask(server, model, SECONDS=NOW)["PID"].size == 1
    except InferenceServerException:
        return False


def test_a_killed_server_is_started_anew(where, ask) -> None:
    server, stubs = where.pid, stubs_of(where.pid)

    os.kill(server, signal.SIGKILL)

    assert eventually(lambda: where.pid != server and answers(where, ask), within_s=30)
    assert not any(map(exists, stubs))


def test_the_end_of_a_server_that_was_told_to_is_noticed_with_its_code(where) -> None:
    stubs = stubs_of(where.pid)

    os.kill(where.pid, signal.SIGTERM)

    assert where.wait(timeout_s=20) == 0
    assert not any(map(exists, stubs))


def test_serve_prints_the_addresses_and_stops_on_sigterm_with_0(repository, tmp_path, ask) -> None:
    ports = chosen(ANY)
    sound = tmp_path / "sound"
    sound.mkdir()
    (sound / "where").symlink_to(repository / "where")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}

    command = [sys.executable, "-c", SERVE, sound, *map(str, ports.values())]
    served = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    printed = dict(served.stdout.readline().rstrip().split(maxsplit=1) for _ in range(7))
    answers = [urlopen(printed[name], timeout=10).status for name in ("health", "metrics")]
    served.terminate()

    assert served.wait(timeout=30) == 0
    assert answers == [200, 200]
    assert printed["models"] == "where"
    assert printed["gRPC"] == f"127.0.0.1:{ports['grpc']}"
    assert printed["health"] == f"http://127.0.0.1:{ports['http']}/v2/health/ready"
    assert printed["metrics"] == f"http://127.0.0.1:{ports['metrics']}/metrics"
    assert list(printed)[-1] == "ready;"


def test_a_graceful_stop_lets_the_request_in_flight_finish(where, ask) -> None:
    with ThreadPoolExecutor() as pool:
        in_flight = pool.submit(ask, where, "where_step", SECONDS=np.full(1, 1.5, np.float32))
        time.sleep(0.5)
        where.stop(graceful=True)

    assert in_flight.result()["PID"].size == 1
