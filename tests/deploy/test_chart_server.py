"""The chart's own arguments, given to a real Triton: what they open, and what they shut."""

import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import numpy as np
import pytest
from rendered_chart import objects, values
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.deploy.local.ports import ANY, LOOPBACK, chosen
from histoserve.deploy.local.wheel import TritonWheel

pytest.importorskip("helm_python")

OF_OTHER_BACKENDS = "--backend-config=onnxruntime"


@pytest.fixture(scope="module")
def as_in_a_pod(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of a server of the model `where`, started as the chart says but for places of this machine."""
    folder, ports = tmp_path_factory.mktemp("pod"), chosen(ANY)
    wheel = TritonWheel.installed()
    (folder / "models").mkdir()
    (folder / "models" / "where").symlink_to(repository / "where")
    [box] = objects(values("cpu"))["Deployment/h-triton"]["spec"]["template"]["spec"]["containers"]
    places = {"/models": str(folder / "models"), "$(POD_NAME)": "pod", "8000": ports["http"], "8001": ports["grpc"]}
    told = []
    for argument in (each for each in box["args"] if not each.startswith(OF_OTHER_BACKENDS)):
        name, sign, value = argument.partition("=")
        told.append(f"{name}{sign}{places.get(value, ports['metrics'] if value == '8002' else value)}")
    here = [f"--{service}-address={LOOPBACK}" for service in ports]
    backends = wheel.assemble_backends(folder / "backends")
    command = [str(wheel.server), *told, *here, f"--backend-directory={backends}"]
    with (folder / "log").open("w") as log:
        print(shlex.join(command))
        running = subprocess.Popen(command, env=wheel.environment({}), cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while http_status(ports["http"], "v2/health/ready") != 200:
            assert running.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield ports
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()


def http_status(port: int, path: str) -> int | None:
    with suppress(OSError):
        try:
            return urlopen(f"http://{LOOPBACK}:{port}/{path}", timeout=5).status
        except HTTPError as error:
            return error.code
    return None


def test_a_request_is_answered(as_in_a_pod: dict[str, int], ask: Callable[..., dict[str, np.ndarray]]) -> None:
    server = SimpleNamespace(grpc=f"{LOOPBACK}:{as_in_a_pod['grpc']}")

    assert ask(server, "where", SECONDS=np.zeros(1, np.float32))["PID"].size == 1


@pytest.mark.parametrize(("path", "status"), [("v2/health/ready", 200), ("v2/models/where/config", 403), ("v2", 403)])
def test_http_is_for_probes_alone(as_in_a_pod: dict[str, int], path: str, status: int) -> None:
    assert http_status(as_in_a_pod["http"], path) == status


@pytest.mark.parametrize("method", ["SystemSharedMemoryRegister", "RepositoryModelLoad", "TraceSetting", "LogSettings"])
def test_nobody_changes_the_server(as_in_a_pod: dict[str, int], method: str) -> None:
    with grpc.insecure_channel(f"{LOOPBACK}:{as_in_a_pod['grpc']}") as channel:
        ask = getattr(service_pb2_grpc.GRPCInferenceServiceStub(channel), method)
        error = ask.future(getattr(service_pb2, f"{method}Request")(), timeout=10).exception()

    assert "restricted" in error.details(), error


def test_its_metrics_are_there(as_in_a_pod: dict[str, int]) -> None:
    assert http_status(as_in_a_pod["metrics"], "metrics") == 200
