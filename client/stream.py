"""Tiles in, rows out: reading, sending and collecting at once, and never more than a few batches in memory.

    plan ─▶ readers (threads) ─▶ senders (threads, at most `in_flight` requests) ─▶ take(), in the calling thread

The rows come in any order. A batch that fails for good, or that ended the server, is sent again tile by tile: one bad
tile costs itself only.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeVar

from histoserve.client.errors import Internal, Lost, Refused, ServerError, Stopped, UnreadableRegion
from histoserve.client.grid import PlannedTile
from histoserve.client.wire import Outputs

Result = TypeVar("Result")

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
    """What is done with a tile; `read` and `ask` run in threads, `take` and `progress` in the caller's."""

    read: Callable[[PlannedTile], bytes]
    ask: Callable[[list[PlannedTile], list[bytes]], Outputs]
    take: Callable[[list[PlannedTile], Outputs], None]
    progress: Callable[[int], None]
    """Told how many more tiles are done."""
    stop: Callable[[], None]
    """Makes every `ask` in flight end at once."""


@dataclass(frozen=True)
class Width:
    """How much is done at once."""

    batch: int
    """Tiles in a request."""
    in_flight: int
    """Requests that the servers hold at a time."""
    readers: int
    """Threads that read the slide."""


@dataclass
class Outcome:
    """What became of the tiles."""

    sent: int = 0
    done: int = 0
    failed: list[FailedTile] = field(default_factory=list)
    """In the plan's order once the stream has ended."""
    deadly: int = 0
    """Tiles that ended the server, since one came back."""


@dataclass(frozen=True)
class _Batch:
    tiles: list[PlannedTile]
    images: list[bytes]
    failed: list[FailedTile]


@dataclass(frozen=True)
class _Answer:
    rows: list[tuple[list[PlannedTile], Outputs]]
    sent: int
    failed: list[FailedTile]


def stream(tiles: Iterable[PlannedTile], steps: Steps, width: Width) -> Outcome:
    """Sends every tile once; the first error that concerns more than a tile ends everything and is raised."""
    outcome = Outcome()
    stopped = threading.Event()
    readers = ThreadPoolExecutor(width.readers, "read")
    senders = ThreadPoolExecutor(width.in_flight, "send")
    reading: set[Future[_Batch]] = set()
    sending: set[Future[_Answer]] = set()
    batches = _batches(tiles, width.batch)
    try:
        while True:
            room = width.readers + width.in_flight - len(reading) - len(sending)
            reading.update(readers.submit(_read, batch, steps, stopped) for batch in islice(batches, room))
            if not reading and not sending:
                outcome.failed.sort(key=lambda each: each.tile.index)
                return outcome
            pending: set[Future[Any]] = {*reading, *sending}
            wait(pending, return_when=FIRST_COMPLETED)
            for answer in _done(sending):
                _take(answer, steps, outcome)
            for read in _done(reading):
                sending.add(senders.submit(_send, read, steps))
    finally:
        # After a complete stream there is nothing left to stop; after an error or Ctrl-C there is.
        if reading or sending:
            stopped.set()
            steps.stop()
        for pool in (readers, senders):
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(tiles: Iterable[PlannedTile], size: int) -> Iterator[list[PlannedTile]]:
    rest = iter(tiles)
    while batch := list(islice(rest, size)):
        yield batch


def _read(tiles: list[PlannedTile], steps: Steps, stopped: threading.Event) -> _Batch:
    batch = _Batch([], [], [])
    for tile in tiles:
        if stopped.is_set():
            raise Stopped("The run was stopped.")
        try:
            image = steps.read(tile)
        except UnreadableRegion as error:
            batch.failed.append(FailedTile(tile, str(error), "reading"))
        else:
            batch.tiles.append(tile)
            batch.images.append(image)
    return batch


def _send(batch: _Batch, steps: Steps) -> _Answer:
    answer = _Answer([], len(batch.tiles), list(batch.failed))
    if not batch.tiles:
        return answer
    try:
        answer.rows.append((batch.tiles, steps.ask(batch.tiles, batch.images)))
    except (Refused, Internal, Lost) as error:
        if len(batch.tiles) == 1:
            answer.failed.append(FailedTile(batch.tiles[0], str(error), "server", isinstance(error, Lost)))
        else:
            singles = [
                _send(_Batch([tile], [image], []), steps) for tile, image in zip(batch.tiles, batch.images, strict=True)
            ]
            answer.rows.extend(rows for single in singles for rows in single.rows)
            answer.failed.extend(failed for single in singles for failed in single.failed)
    return answer


def _take(answer: _Answer, steps: Steps, outcome: Outcome) -> None:
    done = 0
    for tiles, rows in answer.rows:
        steps.take(tiles, rows)
        done += len(tiles)
    outcome.sent += answer.sent
    outcome.done += done
    outcome.failed.extend(answer.failed)
    outcome.deadly = 0 if done else outcome.deadly + sum(each.deadly for each in answer.failed)
    steps.progress(done + len(answer.failed))
    refused = [] if outcome.done else [each for each in outcome.failed if each.at == "server"]
    if outcome.deadly >= DEADLY_TILES:
        reason = answer.failed[-1].reason
        raise ServerError(f"{outcome.deadly} tiles in a row ended the server, so the run was given up: {reason}")
    if len(refused) >= HOPELESS_TILES:
        raise ServerError(f"The first {len(refused)} tiles all failed, so the run was given up: {refused[0].reason}")


def _done(futures: set[Future[Result]]) -> list[Result]:
    """Takes the finished ones out of `futures`; raises what they raised."""
    finished = [future for future in futures if future.done()]
    futures.difference_update(finished)
    return [future.result() for future in finished]
