"""Tiles read in threads, a few ahead of whoever wants them, and handed over in their order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.grid import PlannedTile
from histoserve.client.session import Session
from histoserve.client.stream import FailedTile, Picture

READERS = max(1, min(4, os.cpu_count() or 1))
"""Reading is the client's bottleneck; more than four threads wait for the same file."""


def read_ahead(
    tiles: Iterable[PlannedTile], read: Callable[[PlannedTile], bytes], threads: int, ahead: int
) -> Iterator[Picture | FailedTile]:
    """Each tile as `read` gives it, or why it cannot be read; at most `ahead` of them wait to be fetched."""
    pool = ThreadPoolExecutor(threads, "read")
    waiting: deque[Future[Picture | FailedTile]] = deque()
    try:
        for tile in tiles:
            waiting.append(pool.submit(_tried, read, tile))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tried(read: Callable[[PlannedTile], bytes], tile: PlannedTile) -> Picture | FailedTile:
    try:
        return Picture(tile, read(tile))
    except UnreadableRegion as error:
        return FailedTile(tile, str(error), "reading")


def read_into(session: Session, read: Callable[[PlannedTile], bytes]) -> None:
    """Every tile that the session misses; raises SlideError if none of them can be analysed."""
    # More than once if the session had to begin anew.
    while missing := session.missing():
        for picture in read_ahead(missing, read, READERS, READERS * session.work.width.batch):
            if isinstance(picture, FailedTile):
                session.fail(picture)
            else:
                session.push(picture)
        session.drain()
    if session.failed and not session.answered:
        raise SlideError(f"None of the {len(session.work.tiles)} tiles could be analysed: {session.failed[0].reason}")
