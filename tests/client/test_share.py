"""Several slides on the same servers: each one's end and count are its own."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from histoserve.client.contract import Contract
from histoserve.client.errors import Stopped, Unavailable
from histoserve.client.servers import Servers


class Answering:
    """A server that does `before` and answers."""

    address = "a"

    def __init__(self, before: Callable[[], None] = lambda: None):
        self.before = before
        self.closed = False

    def version(self) -> str:
        return "triton 2"

    def contract(self, pipeline: str) -> Contract:
        return Contract(pipeline, {"mpp": "0.25"}, (), None, ())

    def infer(self, model: str, arrays: Any, timeout: float) -> dict[str, Any]:
        self.before()
        return {}

    def close(self) -> None:
        self.closed = True


def test_each_slide_counts_its_own_requests() -> None:
    servers, gate = Servers([Answering()], 1), threading.Semaphore(4)
    one, other = servers.share(gate), servers.share(gate)
    for _ in range(3):
        one.infer("m", {})
    other.infer("m", {})

    assert [each.record()[0]["answered"] for each in (one, other)] == [3, 1]


def test_a_slide_that_stops_stops_no_other() -> None:
    server = Answering()
    servers, gate = Servers([server], 1), threading.Semaphore(4)
    one, other = servers.share(gate), servers.share(gate)
    one.stop()

    with pytest.raises(Stopped):
        one.infer("m", {})
    assert other.infer("m", {}) == {}
    assert not server.closed


@pytest.mark.parametrize("late", [False, True])
def test_when_all_are_stopped_nobody_waits_any_more(late: bool) -> None:
    def nobody() -> None:
        servers.stop()
        raise Unavailable("not there")

    servers = Servers([Answering(nobody)], 10_000)
    if late:
        servers.stop()

    with pytest.raises(Stopped):
        servers.share(threading.Semaphore(1)).infer("m", {})


def test_all_slides_together_have_so_many_requests_in_flight() -> None:
    flying, most = threading.Semaphore(2), 0

    def count() -> None:
        nonlocal most
        assert flying.acquire(blocking=False)
        most = max(most, 2 - flying._value)
        flying.release()

    servers, gate = Servers([Answering(count)], 1), threading.Semaphore(2)
    shares = [servers.share(gate) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: shares[i % 4].infer("m", {}), range(400)))

    assert 1 <= most <= 2


def test_a_server_that_came_back_with_something_else_is_asked_again_by_the_next_slide() -> None:
    changed = Answering()
    servers = Servers([changed], 1)
    servers.contract("nuclei")
    servers._loads[0].excluded = "it differs"

    servers.contract("nuclei")
    assert servers.share(threading.Semaphore(1)).infer("m", {}) == {}
