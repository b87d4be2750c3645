"""Pictures in, rows out: requests to the servers while the next ones are made, and never more than a few in memory.

    push() ─▶ block ─▶ senders (threads, at most `in_flight` requests) ─▶ take(), one answer at a time, in their threads

The rows come in any order. A request that fails for good, or that ended the server, is sent again tile by tile: one bad
tile costs itself only. The first error that concerns more than a tile ends everything; whoever pushes is told.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from histoserve.client.errors import Internal, Lost, Refused, ServerError
from histoserve.client.grid import PlannedTile
from histoserve.client.travel.block import Block, joined
from histoserve.client.wire import Outputs

HOPELESS_TILES = 32
"""So many tiles failed at the server and none came back: the rest would too."""

DEADLY_TILES = 8
"""So many tiles one after the other ended the server: it is not the tiles."""


@dataclass(frozen=True)
class FailedTile:
    """A tile that could not be analysed."""

    tile: PlannedTile
    reason: str
    at: Literal["reading", "server"]
    deadly: bool = False
    """It ended the server."""


@dataclass(frozen=True)
class Steps:
    """What is done with a tile, all of it in the senders' threads."""

    ask: Callable[[Block], Outputs]
    take: Callable[[Sequence[PlannedTile], Outputs], None]
    """Is called by one thread at a time, as is `lose`."""
    lose: Callable[[FailedTile], None]
    stop: Callable[[], None]
    """Makes every `ask` in flight end at once."""


@dataclass(frozen=True)
class Width:
    """How much is done at once."""

    batch: int
    """Tiles in a request."""
    in_flight: int
    """Requests that the servers hold at a time."""


@dataclass
class Outcome:
    """What became of the tiles."""

    sent: int = 0
    done: int = 0
    failed: int = 0
    """At the server."""
    deadly: int = 0
    """Tiles that ended the server, since one came back."""


@dataclass(frozen=True)
class _Answer:
    rows: list[tuple[Sequence[PlannedTile], Outputs]]
    failed: list[FailedTile]


class Stream:
    """To be left as a block: complete after `drain`, else what is in flight is stopped. One thread pushes at a time."""

    def __init__(self, steps: Steps, width: Width):
        self.outcome = Outcome()
        self._steps = steps
        self._width = width
        self._waiting: list[Block] = []
        """Of one tile each."""
        self._senders = ThreadPoolExecutor(width.in_flight, "send")
        self._room = threading.Semaphore(width.in_flight)
        self._one_answer = threading.Lock()
        self._error: BaseException | None = None

    def push(self, block: Block) -> None:
        """Waits as long as all requests that may be in flight are; raises what ended the stream.

        Tiles that have a picture each wait until they fill a request; a block whose pictures are shared is one.
        """
        if block.shared:
            self._send(block)
            return
        for single in block.singles():
            self._waiting.append(single)
            if len(self._waiting) == self._width.batch:
                self._send_waiting()

    def drain(self) -> None:
        """Sends what is left and waits for all answers; raises what ended the stream."""
        if self._waiting:
            self._send_waiting()
        for _ in range(self._width.in_flight):
            self._room.acquire()
        self._room.release(self._width.in_flight)
        self._raise()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error or Ctrl-C there may be something to stop; after a complete stream there is not.
        if error is not None:
            self._steps.stop()
        self._senders.shutdown(wait=True, cancel_futures=True)

    def _send_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._send(joined(waiting))

    def _send(self, block: Block) -> None:
        self._room.acquire()
        if self._error is not None:
            self._room.release()
        self._raise()
        self._senders.submit(self._work, block)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self, block: Block) -> None:
        try:
            answer = _ask(block, self._steps.ask)
            with self._one_answer:
                if self._error is None:
                    self._take(answer)
        except BaseException as error:
            # Ctrl-C too: it is the thread that pushes who must hear of it.
            with self._one_answer:
                self._error = self._error or error
            self._steps.stop()
        finally:
            self._room.release()

    def _take(self, answer: _Answer) -> None:
        outcome = self.outcome
        for tiles, rows in answer.rows:
            self._steps.take(tiles, rows)
            outcome.done += len(tiles)
        for failed in answer.failed:
            self._steps.lose(failed)
        outcome.failed += len(answer.failed)
        outcome.sent = outcome.done + outcome.failed
        outcome.deadly = 0 if answer.rows else outcome.deadly + sum(each.deadly for each in answer.failed)
        if outcome.deadly >= DEADLY_TILES:
            reason = answer.failed[-1].reason
            raise ServerError(f"{outcome.deadly} tiles in a row ended the server, so the run was given up: {reason}")
        if not outcome.done and outcome.failed >= HOPELESS_TILES:
            reason = answer.failed[0].reason
            raise ServerError(f"The first {outcome.failed} tiles all failed, so the run was given up: {reason}")


def _ask(block: Block, ask: Callable[[Block], Outputs]) -> _Answer:
    try:
        return _Answer([(block.tiles, ask(block))], [])
    except (Refused, Internal, Lost) as error:
        if len(block.tiles) == 1:
            return _Answer([], [FailedTile(block.tiles[0], str(error), "server", isinstance(error, Lost))])
    singles = [_ask(single, ask) for single in block.singles()]
    return _Answer(
        [rows for single in singles for rows in single.rows],
        [failed for single in singles for failed in single.failed],
    )
