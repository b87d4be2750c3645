"""Parts of a run that do not wait for each other, each in a process of its own."""

import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from histoserve.ensemble.cpus import cpus

Part = TypeVar("Part")


@dataclass(frozen=True)
class Say:
    """Prints a line with the seconds since the run began, from whatever process."""

    begun: float = field(default_factory=time.monotonic)

    def __call__(self, text: str) -> None:
        print(f"{time.monotonic() - self.begun:6.0f} s  {text}", flush=True)


def side_by_side(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """As many at a time as there are processors. Raises what the first part raised that could not be done."""
    # Not forked: OpenCV's and PyTorch's threads would not come along.
    with ProcessPoolExecutor(cpus(), multiprocessing.get_context("spawn")) as pool:
        list(pool.map(work, parts))
