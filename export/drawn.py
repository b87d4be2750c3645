"""Training data that is drawn: each file once, by processes of their own."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.progress import track

WORKERS = 2


def drawn(write: Callable[[int], Path], seeds: Iterable[int]) -> list[Path]:
    """The file of each seed; `write` makes it unless it is there, and can be sent to another process."""
    seeds = list(seeds)
    # Torch's threads do not survive a fork.
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), initializer=_leave_ctrl_c) as pool:
        made = pool.map(write, seeds)
        try:
            return list(track(made, "drawing slides", len(seeds), transient=True))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _leave_ctrl_c() -> None:
    """To the process that this one draws for: it ends this one, after the slide in hand."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
