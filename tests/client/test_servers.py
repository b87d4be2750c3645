"""Who is asked, and how often, when servers fail."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from histoserve.client import servers as servers_module
from histoserve.client.contract import Contract
from histoserve.client.errors import (
    HistoserveError,
    Internal,
    Lost,
    NoAnswer,
    Refused,
    ServerError,
    Stopped,
    Unavailable,
)
from histoserve.client.servers import DEATHS, INTERNAL_TRIES, Servers


def disc_contract(**changes: str) -> Contract:
    """Of no importance, except that they are equal or not."""
    return Contract("nuclei", {"mpp": "0.25", **changes}, (), None, ())


@dataclass
class Scripted:
    """Raises its errors one after the other, then answers."""

    address: str
    errors: list[HistoserveError] = field(default_factory=list)
    settings: Contract = field(default_factory=disc_contract)
    asked: int = 0
    closed: bool = False
    silent: bool = False
    """It does not answer when it is asked for its contract."""

    def version(self) -> str:
        return "triton 2"

    def contract(self, pipeline: str) -> Contract:
        if self.silent:
            raise NoAnswer(self.address, "connection refused")
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


def test_servers_must_agree() -> None:
    one, other = Scripted("a:1"), Scripted("b:2", settings=disc_contract(mpp="0.5"))

    assert Servers([one, one], deadline=1).contract("nuclei") == disc_contract()
    with pytest.raises(ServerError, match="a:1 and b:2 differ"):
        Servers([one, other], deadline=1).contract("nuclei")


def test_a_request_that_ends_the_server_twice_is_given_back() -> None:
    server = Scripted("a", [Lost("socket closed")] * 100)

    with pytest.raises(Lost, match="socket closed; the server ended 2 times while it had this request"):
        Servers([server], deadline=60).infer("m", {})
    assert server.asked == DEATHS


def test_a_request_that_was_lost_beside_another_goes_through() -> None:
    server = Scripted("a", [Unavailable("starting"), Lost("socket closed"), Unavailable("starting")] * 1)

    assert Servers([server], deadline=60).infer("m", {}) == {"from": "a"}


def test_a_server_that_is_dead_at_the_start_is_named_and_joins_later() -> None:
    warnings: list[str] = []
    dead, alive = Scripted("a:1", silent=True), Scripted("b:2")
    servers = Servers([dead, alive], 60, clock=lambda: now[0], warn=warnings.append)
    now = [0.0]

    servers.contract("nuclei")
    assert [servers.infer("m", {})["from"] for _ in range(4)] == ["b:2"] * 4
    dead.silent = False
    now[0] = servers_module.REST_SECONDS
    assert {servers.infer("m", {})["from"] for _ in range(4)} == {"a:1", "b:2"}
    [warning] = warnings
    assert "a:1 does not answer (connection refused)" in warning


def test_a_server_that_comes_back_with_other_models_is_not_asked() -> None:
    changed, alive = Scripted("a:1", silent=True), Scripted("b:2")
    servers = Servers([changed, alive], 60, clock=lambda: now[0])
    now = [0.0]
    servers.contract("nuclei")
    changed.silent, changed.settings, now[0] = False, disc_contract(mpp="0.5"), 1000.0

    assert [servers.infer("m", {})["from"] for _ in range(4)] == ["b:2"] * 4
    alive.settings, alive.errors = disc_contract(mpp="0.5"), [Unavailable("restarting")]
    with pytest.raises(ServerError, match=r"a:1 came back.*; b:2 came back with another repository"):
        servers.infer("m", {})


def test_servers_that_are_all_dead_are_all_named() -> None:
    with pytest.raises(ServerError, match=r"a:1 \(connection refused\); b:2 \(connection refused\)"):
        Servers([Scripted("a:1", silent=True), Scripted("b:2", silent=True)], 60).contract("nuclei")


def test_the_tries_are_recorded() -> None:
    server = Scripted("a", [Unavailable("starting"), Lost("closed"), Internal("odd"), Refused("no image")])
    servers = Servers([server], deadline=60)
    with pytest.raises(Refused):
        servers.infer("m", {})
    servers.infer("m", {})

    tries = {"answered": 1, "unavailable": 1, "lost": 1, "internal": 1, "refused": 1}
    assert servers.record() == [{"address": "a", **tries, "runs": None}]
