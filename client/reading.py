"""Tiles read in threads, a few ahead of whoever wants them, and handed over in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from histoserve.client.errors import UnreadableRegion
from histoserve.client.grid import PlannedTile
from histoserve.client.stream import FailedTile, Picture


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
