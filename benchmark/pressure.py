"""Requests of one tile each, as many callers send them, and what became of them."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from histoserve.benchmark.tile import tile
from histoserve.client.travel.encode import encode, encoding_from_text
from histoserve.client.wire import Arrays

MODEL = "nuclei_tiles"
SIDE, MPP = 512, 0.25


def request() -> Arrays:
    """One window of a phantom, 0.8 MB."""
    whole = np.array([[0, 0, SIDE, SIDE]], np.float32)
    picture = encode(tile(None, SIDE), encoding_from_text("raw"))
    return {"TILE": [picture], "REGION": whole, "WINDOW": whole, "MPP": np.array([MPP], np.float32), "CORE": whole}


@dataclass
class Answers:
    """Of several threads."""

    began: float = field(default_factory=time.monotonic)
    times: list[float] = field(default_factory=list)
    """When answers came, seconds since `began`."""
    waits: list[float] = field(default_factory=list)
    """Seconds that each was waited for."""
    failures: Counter[str] = field(default_factory=Counter)
    """By the kind of error."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, call: Callable[[], object]) -> bool:
        """Whether it was answered."""
        sent = time.monotonic()
        try:
            call()
        except Exception as error:
            with self._lock:
                self.failures[type(error).__name__] += 1
            return False
        with self._lock:
            self.times.append(time.monotonic() - self.began)
            self.waits.append(time.monotonic() - sent)
        return True

    def rate(self, start: float, end: float) -> float:
        """Answers a second between the first and the last one in this span."""
        within = sorted(each for each in self.times if start <= each <= end)
        return (len(within) - 1) / (within[-1] - within[0]) if len(within) > 1 else 0.0


class Callers:
    """Threads that ask again as soon as they were answered; more or fewer of them at any time."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.answers = Answers()
        self._call = call
        self._threads: list[tuple[threading.Thread, threading.Event]] = []

    def become(self, count: int) -> None:
        """So many from now on; those that go wait for their last answer."""
        while len(self._threads) < count:
            over = threading.Event()
            self._threads.append((threading.Thread(target=self._run, args=(over,), daemon=True), over))
            self._threads[-1][0].start()
        going, self._threads = self._threads[count:], self._threads[:count]
        for _, over in going:
            over.set()
        for thread, _ in going:
            thread.join()

    def _run(self, over: threading.Event) -> None:
        while not over.is_set():
            self.answers.ask(self._call)


def arrive(call: Callable[[], object], a_second: float, seconds: float) -> Answers:
    """Each asks once, whatever became of those before; returns when all were answered or failed."""
    answers, threads = Answers(), []
    for number in range(int(a_second * seconds)):
        time.sleep(max(0.0, answers.began + number / a_second - time.monotonic()))
        threads.append(threading.Thread(target=answers.ask, args=(call,), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answers
