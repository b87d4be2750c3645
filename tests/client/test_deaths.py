"""Tiles that end the server: they are found, they alone are listed, and the server ends a bounded number of times."""

import threading
import time
from typing import Any

import pytest

from histoserve.client import servers as servers_module
from histoserve.client.contract import Contract
from histoserve.client.errors import Lost, NoAnswer, ServerError, Unavailable
from histoserve.client.grid import PlannedTile
from histoserve.client.servers import DEATHS, Servers
from histoserve.client.stream import DEADLY_TILES, Steps, Stream, Width
from histoserve.client.travel.block import Picture, block_of

PLAN = [PlannedTile(i, (i, 0, 1, 1), (i, 0, 1, 1)) for i in range(80)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "RESTART_PAUSE"):
        monkeypatch.setattr(servers_module, name, 0.001)


class Mortal:
    """Dies of certain tiles, with all that it has in flight, and comes back when it was asked some times."""

    def __init__(self, address: str, guilty: set[int], stage_only: bool = False):
        self.address, self.guilty, self.stage_only = address, guilty, stage_only
        self.lock = threading.Lock()
        self.deaths = self.down = 0

    def version(self) -> str:
        return "2"

    def close(self) -> None: ...

    def contract(self, pipeline: str) -> Contract:
        with self.lock:
            self.down = max(0, self.down - 1)
            # A server whose stage died answers until it is started anew.
            if 0 < self.down <= 3 or (self.down and not self.stage_only):
                raise NoAnswer(self.address, "connection refused")
        return Contract(pipeline, {}, (), None, ())

    def infer(self, model: str, arrays: Any, timeout: float) -> dict[str, Any]:
        with self.lock:
            if self.down:
                raise self._lost() if self.stage_only and self.down > 3 else Unavailable("connection refused")
            life = self.deaths
        time.sleep(0.002)
        with self.lock:
            if life == self.deaths and self.guilty & set(arrays["TILE"]):
                self.deaths, self.down = self.deaths + 1, 6
            if life != self.deaths:
                raise self._lost()
        return {}

    def _lost(self) -> Lost:
        error = Lost("Stub process is not healthy" if self.stage_only else "socket closed")
        error.stage_died = self.stage_only
        return error


def run(servers: list[Mortal], width: Width) -> tuple[list[int], list[int]]:
    """The tiles that failed, and those that came back."""
    failed: list[int] = []
    taken: list[int] = []
    wire = Servers(servers, deadline=60)
    wire.contract("x")
    steps = Steps(
        ask=lambda block: wire.infer("m", {"TILE": [tile.index for tile in block.tiles]}),
        take=lambda tiles, rows: taken.extend(tile.index for tile in tiles),
        lose=lambda each: failed.append(each.tile.index),
        stop=wire.stop,
    )
    with Stream(steps, width) as stream:
        for tile in PLAN:
            stream.push(block_of([Picture(tile, b"")]))
        stream.drain()
    return sorted(failed), sorted(taken)


@pytest.mark.parametrize("stage_only", [False, True])
@pytest.mark.parametrize("width", [Width(8, 4), Width(16, 1), Width(1, 8), Width(16, 8)])
@pytest.mark.parametrize("guilty", [{13}, {3, 50}, {16, 17}, {0, 79}])
def test_only_the_guilty_tiles_are_listed(guilty: set[int], width: Width, stage_only: bool) -> None:
    server = Mortal("a", guilty, stage_only)
    failed, taken = run([server], width)

    assert failed == sorted(guilty)
    assert taken == [i for i in range(80) if i not in guilty]
    assert server.deaths <= 2 * DEATHS * len(guilty)


def test_several_servers_die_no_more_often_than_one() -> None:
    servers = [Mortal(name, {3, 50}) for name in "abc"]
    failed, _ = run(servers, Width(8, 6))

    assert failed == [3, 50]
    assert sum(server.deaths for server in servers) <= 2 * DEATHS * 2


def test_a_server_that_dies_of_everything_costs_no_tile_where_others_live() -> None:
    failed, taken = run([Mortal("a", set()), Mortal("b", set(range(80))), Mortal("c", set())], Width(4, 6))

    assert (failed, len(taken)) == ([], 80)


def test_a_server_that_dies_of_everything_ends_the_run() -> None:
    server = Mortal("a", set(range(80)))
    with pytest.raises(ServerError, match=f"{DEADLY_TILES} tiles in a row ended the server"):
        run([server], Width(1, 1))

    assert server.deaths == DEADLY_TILES * DEATHS


class Late:
    """Its stage dies of the first two requests; the first is told so only when the server was seen down."""

    address = "late"

    def __init__(self) -> None:
        self.lock, self.went_down = threading.Lock(), threading.Event()
        self.sent = self.asked = 0

    def version(self) -> str:
        return "2"

    def close(self) -> None: ...

    def contract(self, pipeline: str) -> Contract:
        with self.lock:
            self.asked += 1
            if self.asked == 2:
                self.went_down.set()
                raise NoAnswer(self.address, "connection refused")
        return Contract(pipeline, {}, (), None, ())

    def infer(self, model: str, arrays: Any, timeout: float) -> dict[str, Any]:
        with self.lock:
            self.sent += 1
            number = self.sent
        if number == 1:
            assert self.went_down.wait(30)
            # Until who saw it down has noted it.
            time.sleep(0.05)
        if number <= 2:
            error = Lost("Stub process is not healthy")
            error.stage_died = True
            raise error
        return {}


def test_what_was_sent_before_a_restart_does_not_make_a_server_wait_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Who lost a request waits before it asks again, alone; meanwhile a third comes and sees the server down.
    monkeypatch.setattr(servers_module, "FIRST_PAUSE", 0.5)
    server = Late()
    wire = Servers([server], deadline=120)
    wire.contract("x")
    began = time.monotonic()
    asking = [threading.Thread(target=wire.infer, args=("m", {})) for _ in range(3)]
    for sent, each in enumerate(asking[:2], 1):
        each.start()
        while server.sent < sent:
            time.sleep(0.001)
    time.sleep(0.1)
    asking[2].start()
    for each in asking:
        each.join()

    assert server.sent == 5
    assert time.monotonic() - began < servers_module.RESTART_SECONDS / 2
