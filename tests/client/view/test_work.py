"""Making tiles: each once, for those who still want it."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from histoserve.client.view.work import GONE, THREADS, Work


class Asker:
    """Who may have gone away."""

    def __init__(self, gone: bool = False):
        self.gone = gone

    async def is_disconnected(self) -> bool:
        return self.gone


def run(play: Any) -> Any:
    """`play(work)` to its end."""

    async def whole() -> Any:
        work = Work()
        try:
            return await play(work)
        finally:
            work.stop()

    # In a thread of its own: a browser of other tests leaves its loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, whole()).result()


def test_what_many_ask_for_at_a_time_is_made_once() -> None:
    made: list[int] = []
    go = threading.Event()

    def make() -> tuple[bytes, bool]:
        go.wait(10)
        made.append(1)
        return b"tile", True

    async def play(work: Work) -> list[bytes]:
        asked = [asyncio.ensure_future(work.made("a", make, Asker())) for _ in range(20)]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        go.set()
        return [*await asyncio.gather(*asked), await work.made("a", make, Asker())]  # type: ignore[arg-type]

    assert (run(play), made) == ([b"tile"] * 21, [1])


def test_what_is_not_to_be_held_is_made_anew() -> None:
    made: list[int] = []

    async def play(work: Work) -> None:
        for _ in range(3):
            await work.made("a", lambda: (bytes(made.append(1) or 1), False), Asker())  # type: ignore[arg-type,func-returns-value]

    run(play)
    assert made == [1, 1, 1]


def test_for_who_has_gone_away_nothing_is_made() -> None:
    made: list[str] = []
    go = threading.Event()

    def make(key: str) -> tuple[bytes, bool]:
        made.append(key)
        go.wait(10)
        return b"", True

    async def play(work: Work) -> None:
        askers = [Asker() for _ in range(THREADS + 10)]
        asked = [
            asyncio.ensure_future(work.made(str(n), lambda n=n: make(str(n)), asker))  # type: ignore[arg-type,misc]
            for n, asker in enumerate(askers)
        ]
        await asyncio.sleep(0.1)
        for asker in askers[THREADS:]:
            asker.gone = True
        go.set()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [each.status_code for each in ends if isinstance(each, HTTPException)] == [GONE] * 10

    run(play)
    assert sorted(map(int, made)) == list(range(THREADS))


def test_who_fails_fails_all_who_wait_and_nobody_later() -> None:
    async def play(work: Work) -> bytes:
        def fail() -> tuple[bytes, bool]:
            raise OSError("disk")

        asked = [asyncio.ensure_future(work.made("a", fail, Asker())) for _ in range(3)]  # type: ignore[arg-type]
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, OSError) for each in ends)
        return await work.made("a", lambda: (b"now", True), Asker())  # type: ignore[arg-type]

    assert run(play) == b"now"


@pytest.mark.parametrize("waiting", [1, 5])
def test_one_of_those_who_wait_may_be_cancelled(waiting: int) -> None:
    go = threading.Event()

    def make() -> tuple[bytes, bool]:
        go.wait(10)
        return b"tile", True

    async def play(work: Work) -> list[Any]:
        asked = [asyncio.ensure_future(work.made("a", make, Asker())) for _ in range(1 + waiting)]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        asked[0].cancel()
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(*asked[1:])

    assert run(play) == [b"tile"] * waiting
