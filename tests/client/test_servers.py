"""Who is asked, and how often, when servers fail."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from histoserve.client import servers as servers_module
from histoserve.client.contract import Contract
from histoserve.client.errors import HistoserveError, Internal, Refused, ServerError, Stopped, Unavailable
from histoserve.client.servers import INTERNAL_TRIES, Servers


@dataclass
class Scripted:
    """Raises its errors one after the other, then answers."""

    address: str
    errors: list[HistoserveError] = field(default_factory=list)
    settings: Contract | None = None
    asked: int = 0
    closed: bool = False

    def version(self) -> str:
        return "triton 2"

    def contract(self, pipeline: str) -> Contract:
        assert self.settings
        return self.settings

    def close(self) -> None:
        self.closed = True

    def infer(self, model: str, arrays: Any, timeout: float) -> dict[str, Any]:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return {"from": self.address}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers_module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(servers_module, "LONGEST_PAUSE", 0.002)


def test_an_unavailable_server_is_asked_until_it_answers() -> None:
    server = Scripted("a", [Unavailable("starting")] * 20)

    assert Servers([server], deadline=60).infer("m", {}) == {"from": "a"}
    assert server.asked == 21


def test_the_deadline_ends_the_asking_and_says_so() -> None:
    server = Scripted("a", [Unavailable("gone fishing")] * 100_000)

    with pytest.raises(Unavailable, match=r"0\.05 s .*gone fishing.*--deadline"):
        Servers([server], deadline=0.05).infer("m", {})


def test_an_internal_error_is_worth_few_tries() -> None:
    server = Scripted("a", [Internal("stub killed")] * 100)

    with pytest.raises(Internal, match="stub killed"):
        Servers([server], deadline=60).infer("m", {})
    assert server.asked == INTERNAL_TRIES


def test_a_stage_that_died_once_is_asked_again() -> None:
    assert Servers([Scripted("a", [Internal("stub killed")])], deadline=60).infer("m", {}) == {"from": "a"}


def test_a_refused_request_is_never_sent_again() -> None:
    server = Scripted("a", [Refused("TILE 3 is no image")])

    with pytest.raises(Refused, match="TILE 3"):
        Servers([server, Scripted("b")], deadline=60).infer("m", {})
    assert server.asked == 1


def test_another_server_takes_over() -> None:
    dead, alive = Scripted("a", [Unavailable("down")] * 1000), Scripted("b")
    servers = Servers([dead, alive], deadline=60)

    assert [servers.infer("m", {})["from"] for _ in range(10)] == ["b"] * 10
    assert dead.asked == 1


def test_requests_are_spread_over_the_servers() -> None:
    pair = [Scripted("a"), Scripted("b")]
    servers = Servers(pair, deadline=60)

    for _ in range(10):
        servers.infer("m", {})

    assert [server.asked for server in pair] == [5, 5]


def test_stopping_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers_module, "FIRST_PAUSE", 30)
    server = Scripted("a", [Unavailable("down")] * 10)
    servers = Servers([server], deadline=100)
    threading.Timer(0.05, servers.stop).start()

    with pytest.raises(Stopped):
        servers.infer("m", {})
    assert server.closed


def test_servers_must_agree(contract: Callable[..., Contract]) -> None:
    one, other = Scripted("a:1", settings=contract()), Scripted("b:2", settings=contract(mpp="0.5"))

    assert Servers([one, one], deadline=1).contract("nuclei") == contract()
    with pytest.raises(ServerError, match="a:1 and b:2 differ"):
        Servers([one, other], deadline=1).contract("nuclei")
