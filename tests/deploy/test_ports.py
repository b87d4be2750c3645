"""The ports of a local server: asked for, given, or taken by another."""

import pytest

from histoserve.deploy.local.ports import ANY, Ports, chosen
from histoserve.deploy.local.replicas import LocalReplicas
from histoserve.deploy.local.triton import LocalTriton, LocalTritonError


@pytest.mark.parametrize(("service", "option"), [("grpc", "--port"), ("http", "--http-port")])
def test_a_port_in_use_is_refused_before_anything_starts(triton, repository, tmp_path, service, option) -> None:
    port = int(triton.grpc.split(":")[1])

    with pytest.raises(LocalTritonError, match=rf":{port} .*already.* choose another {option}$"):
        LocalTriton(repository, models=["where"], ports=Ports(**{service: port}), state=tmp_path).start()

    assert list(tmp_path.iterdir()) == []


def test_ports_that_were_asked_for_are_given_and_the_others_differ() -> None:
    asked = chosen(ANY)["http"]

    ports = chosen(Ports(http=asked))

    assert ports["http"] == asked
    assert len(set(ports.values())) == 3


def test_two_services_on_one_port_are_refused() -> None:
    with pytest.raises(LocalTritonError, match="--port and --metrics-port are both 5000"):
        chosen(Ports(grpc=5000, metrics=5000))


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        (Ports(8001, 65535), "--http-port 65535: 2 replicas need as many ports"),
        (Ports(8001, 8000), "--http-port 8000 and --port 8001 meet"),
        (Ports(None, 8000, 8001), "--http-port 8000 and --metrics-port 8001 meet"),
    ],
)
def test_ports_of_several_replicas_that_would_meet_are_refused(tmp_path, ports, words) -> None:
    with pytest.raises(LocalTritonError, match=words):
        LocalReplicas(tmp_path, 2, models=["where"], ports=ports)
