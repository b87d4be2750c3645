"""The chart's own arguments, given to a real Triton: what they open, and what they shut."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from as_in_a_pod import arguments, http_status, pod, served
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.deploy.local.ports import ANY, LOOPBACK, chosen

pytest.importorskip("helm_python")


@pytest.fixture(scope="module")
def as_in_a_pod(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """The ports of a server of the model `where`, started as the chart says but for places of this machine."""
    folder, ports = tmp_path_factory.mktemp("pod"), chosen(ANY)
    (folder / "models").mkdir()
    (folder / "models" / "where").symlink_to(repository / "where")
    with served(folder / "models", folder, arguments(pod("cpu")[1], ports, id="pod"), ports):
        yield ports


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
