"""Servers that are full are not hammered."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from histoserve.client import servers as servers_module
from histoserve.client.contract import Contract
from histoserve.client.errors import Full
from histoserve.client.room import Room
from histoserve.client.servers import Servers


class Narrow:
    """A server that takes two requests at a time, each for some milliseconds, and turns others away."""

    address = "a"

    def __init__(self) -> None:
        self.taken = self.turned_away = 0
        self.lock = threading.Lock()

    def version(self) -> str:
        return "triton 2"

    def contract(self, pipeline: str) -> Contract:
        raise AssertionError("a server that is full is still the same")

    def close(self) -> None: ...

    def infer(self, model: str, arrays: Any, timeout: float) -> dict[str, Any]:
        with self.lock:
            if self.taken == 2:
                self.turned_away += 1
                raise Full("Exceeds maximum queue size")
            self.taken += 1
        time.sleep(0.005)
        with self.lock:
            self.taken -= 1
        return {}


def turned_away_of_400(monkeypatch: pytest.MonkeyPatch, room: Callable[[], Any]) -> int:
    monkeypatch.setattr(servers_module, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(servers_module, "LONGEST_PAUSE", 0.01)
    server = Narrow()
    servers = Servers([server], deadline=60)
    servers._room = room()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda _: servers.infer("m", {}), range(400))) == [{}] * 400
    return server.turned_away


class Boundless(Room):
    """As if nobody learned from being turned away."""

    def full(self, number: int) -> None: ...


def test_fewer_requests_are_offered_to_a_server_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    learning, not_learning = (turned_away_of_400(monkeypatch, room) for room in (Room, Boundless))

    print(f"{learning} requests turned away, {not_learning} where nobody learns")
    assert learning < not_learning / 2


def test_a_burst_that_is_turned_away_halves_once_and_answers_widen_again() -> None:
    room = Room()
    with ExitStack() as taken:
        numbers = [taken.enter_context(room.place(lambda: False)) for _ in range(4)]
        for number in numbers:
            room.full(number)
        assert room._limit == 2
    for _ in range(2):
        room.answered()
    assert 2.8 < room._limit < 3


def test_who_is_stopped_waits_for_no_place() -> None:
    room = Room()
    with room.place(lambda: False) as number:
        room.full(number)
        with room.place(lambda: True):
            pass
