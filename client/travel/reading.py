"""Tiles read in threads, a few ahead of whoever wants them, and handed over in their order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from histoserve.client.errors import SlideError, UnreadableRegion
from histoserve.client.grid import PlannedTile
from histoserve.client.session import Session
from histoserve.client.stream import FailedTile
from histoserve.client.travel.block import Block, Picture, block_of

READERS = max(1, min(4, os.cpu_count() or 1))
"""Reading is the client's bottleneck; more than four threads wait for the same file."""

Group = Sequence[PlannedTile]
"""Tiles that are read together."""


class Reader(Protocol):
    """How tiles become what travels."""

    def groups(self, tiles: Group) -> Iterable[Group]:
        """All of the tiles, in the order in which they are to be read."""

    def read(self, group: Group) -> list[Block | FailedTile]:
        """Called by several threads."""

    def another_way(self, failed: Sequence[FailedTile]) -> list[PlannedTile]:
        """Those that are worth being read once more, since `read` will now give something else for them."""


class Pixels:
    """A picture of its own for each tile."""

    def __init__(self, read: Callable[[PlannedTile], bytes]):
        """`read` gives a tile encoded, or raises UnreadableRegion."""
        self._read = read

    def groups(self, tiles: Group) -> Iterable[Group]:
        """As Reader.groups."""
        return ([tile] for tile in tiles)

    def read(self, group: Group) -> list[Block | FailedTile]:
        """As Reader.read."""
        return [self._tried(tile) for tile in group]

    def another_way(self, failed: Sequence[FailedTile]) -> list[PlannedTile]:
        """As Reader.another_way: none."""
        return []

    def _tried(self, tile: PlannedTile) -> Block | FailedTile:
        try:
            return block_of([Picture(tile, self._read(tile))])
        except UnreadableRegion as error:
            return FailedTile(tile, str(error), "reading")


def read_ahead(groups: Iterable[Group], reader: Reader, threads: int, ahead: int) -> Iterator[Block | FailedTile]:
    """What `reader` gives for each group, in their order; about `ahead` tiles wait to be fetched."""
    pool = ThreadPoolExecutor(threads, "read")
    waiting: deque[tuple[int, Future[list[Block | FailedTile]]]] = deque()
    tiles = 0
    try:
        for group in groups:
            waiting.append((len(group), pool.submit(reader.read, group)))
            tiles += len(group)
            while tiles >= ahead and waiting:
                count, read = waiting.popleft()
                tiles -= count
                yield from read.result()
        while waiting:
            yield from waiting.popleft()[1].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_into(session: Session, reader: Reader) -> None:
    """Every tile that the session misses; raises SlideError if none of them can be analysed."""
    # More than once if the session had to begin anew, or some tiles are read in another way.
    while tiles := session.missing() or reader.another_way(session.failed):
        for each in read_ahead(reader.groups(tiles), reader, READERS, READERS * session.work.width.batch):
            if isinstance(each, FailedTile):
                session.fail(each)
            else:
                session.push_block(each)
        session.drain()
    if session.failed and not session.answered:
        raise SlideError(f"None of the {len(session.work.tiles)} tiles could be analysed: {session.failed[0].reason}")
