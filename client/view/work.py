"""Tiles are made on a few threads, each once however many windows ask for it, and not for who went away."""

import asyncio
import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from histoserve.client.view.cache import Cache

MOST_BYTES = 128 * 2**20
"""Of tiles held: those of ten screens and more."""

THREADS = max(4, min(8, os.cpu_count() or 4))
"""Also on two cores four: some wait for a disk, or for a slide that is being opened."""

GONE = 499
"""As nginx logs a client that went away before the answer; nobody sees it."""

T = TypeVar("T")


class Work:
    """To be used from one event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "tile")
        self._turns = asyncio.Semaphore(THREADS)
        self._cache = Cache(MOST_BYTES)
        self._under_way: dict[Hashable, asyncio.Task[tuple[bytes, bool]]] = {}

    async def do(self, work: Callable[[], T]) -> T:
        """On a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def made(self, key: Hashable, make: Callable[[], tuple[bytes, bool]], request: Request) -> bytes:
        """What `make` gives, and whether that may be held; raises HTTPException if the client has gone away."""
        held = self._cache.get(key)
        if held is not None:
            return held
        task = self._under_way.get(key)
        if task is None:
            async with self._turns:
                if await request.is_disconnected():
                    raise HTTPException(GONE)
                task = self._under_way.get(key) or self._started(key, make)
                await asyncio.wait([task])
        # Its client may go away while others wait for the same.
        content, keep = await asyncio.shield(task)
        if keep:
            self._cache.put(key, content)
        return content

    def stop(self) -> None:
        """What has not begun never will."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _started(self, key: Hashable, make: Callable[[], tuple[bytes, bool]]) -> "asyncio.Task[tuple[bytes, bool]]":
        task = asyncio.create_task(self.do(make))
        self._under_way[key] = task
        task.add_done_callback(partial(self._forget, key))
        return task

    def _forget(self, key: Hashable, task: object) -> None:
        self._under_way.pop(key, None)
