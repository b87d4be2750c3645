"""Reading, sending and collecting at once."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from histoserve.client.errors import Internal, Refused, ServerError, UnreadableRegion
from histoserve.client.grid import PlannedTile
from histoserve.client.stream import FailedTile, Outcome, Steps, Stream, Width
from histoserve.client.travel.block import Block
from histoserve.client.travel.reading import Pixels, read_ahead

AHEAD = 8
PLAN = [PlannedTile(i, (i, 0, 1, 1), (i, 0, 1, 1)) for i in range(100)]


class Run:
    """Steps that count what happens; `ask` is given the indices of the tiles."""

    def __init__(self, ask: Callable[[list[int]], Any] = lambda indices: {}, bad: tuple[int, ...] = ()):
        self.ask, self.bad = ask, bad
        self.taken: list[int] = []
        self.failed: list[FailedTile] = []
        self.stopped = threading.Event()

    def read(self, tile: PlannedTile) -> bytes:
        if tile.index in self.bad:
            raise UnreadableRegion(f"tile {tile.index} is damaged")
        return b"%d" % tile.index

    def take(self, tiles: list[PlannedTile], rows: Any) -> None:
        self.taken.extend(tile.index for tile in tiles)

    def run(self, width: Width = Width(8, 4), tiles: Any = PLAN) -> Outcome:  # noqa: B008
        def ask(block: Block) -> Any:
            assert [part.image for part in block.parts] == [b"%d" % tile.index for tile in block.tiles]
            return self.ask([tile.index for tile in block.tiles])

        with Stream(Steps(ask, self.take, self.failed.append, self.stopped.set), width) as stream:
            pixels = Pixels(self.read)
            for each in read_ahead(pixels.groups(tiles), pixels, 2, AHEAD):
                if isinstance(each, FailedTile):
                    self.failed.append(each)
                else:
                    stream.push(each)
            stream.drain()
            return stream.outcome


@pytest.mark.parametrize("width", [Width(1, 1), Width(7, 3), Width(1000, 2)])
def test_every_tile_is_answered_once(width: Width) -> None:
    run = Run()

    outcome = run.run(width)

    assert sorted(run.taken) == list(range(100))
    assert (outcome.sent, outcome.done, outcome.failed, run.failed) == (100, 100, 0, [])
    assert not run.stopped.is_set()


def test_an_empty_plan_is_done() -> None:
    assert Run().run(tiles=[]) == Outcome()


def test_only_the_guilty_tile_of_a_batch_fails() -> None:
    def ask(indices: list[int]) -> dict[str, Any]:
        if 13 in indices:
            raise Refused("TILE is no image")
        if 50 in indices:
            raise Internal("stub killed")
        return {}

    run = Run(ask)
    outcome = run.run()

    assert sorted((each.tile.index, each.at) for each in run.failed) == [(13, "server"), (50, "server")]
    assert sorted(run.taken) == [i for i in range(100) if i not in (13, 50)]
    assert (outcome.sent, outcome.failed) == (100, 2)


def test_an_unreadable_tile_is_not_sent() -> None:
    run = Run(bad=(0, 1, 2, 3, 99))
    outcome = run.run(Width(4, 2))

    assert [(each.tile.index, each.at) for each in run.failed] == [(i, "reading") for i in (0, 1, 2, 3, 99)]
    assert (outcome.sent, len(run.taken)) == (95, 95)


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def ask(indices: list[int]) -> dict[str, Any]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        return {}

    Run(ask).run(Width(2, 3))

    assert most[0] == 3


def test_a_slow_server_holds_up_the_reading() -> None:
    waiting = []

    def tiles() -> Any:
        for tile in PLAN:
            waiting.append(tile.index + 1 - len(run.taken))
            yield tile

    run = Run(lambda indices: {"waited": time.sleep(0.005)})
    run.run(Width(4, 2), tiles())

    # Two requests in flight, one that is made, and what is read ahead: the first of that is the one that is pushed.
    assert max(waiting) == 4 * (2 + 1) + AHEAD - 1


def test_an_error_of_the_server_ends_everything() -> None:
    def ask(indices: list[int]) -> dict[str, Any]:
        if indices[0] == 0:
            raise ServerError("no such model")
        run.stopped.wait(10)
        return {}

    run = Run(ask)
    with pytest.raises(ServerError, match="no such model"):
        run.run()

    assert run.stopped.is_set()
    assert len(run.taken) < 50


def test_an_interruption_ends_everything() -> None:
    def take(tiles: list[PlannedTile], rows: Any) -> None:
        raise KeyboardInterrupt

    run = Run()
    run.take = take  # type: ignore[method-assign]
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run.run()

    assert threading.active_count() == before


def test_a_server_that_fails_on_everything_is_given_up() -> None:
    asked: list[int] = []

    def ask(indices: list[int]) -> dict[str, Any]:
        asked.extend(indices)
        raise Internal("out of memory")

    with pytest.raises(ServerError, match="out of memory"):
        Run(ask).run(Width(1, 1))
    assert len(asked) < 50
