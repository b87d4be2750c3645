"""Batches are made while the network learns from those before them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def ahead(make: Callable[[int], Batch], steps: int) -> Iterator[Batch]:
    """`make(0)` … `make(steps − 1)`, each made by another thread while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(make, 0)
        for step in range(1, steps + 1):
            batch = following.result()
            if step < steps:
                following = pool.submit(make, step)
            yield batch
