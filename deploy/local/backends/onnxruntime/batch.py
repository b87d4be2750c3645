"""Several requests as one run, so that a network sees the batches that Triton's dynamic batcher collects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[np.generic]]
"""Arrays by tensor name, batch axis first."""
Run = Callable[[Arrays], Arrays]
Result = Arrays | Exception


def run_merged(requests: Sequence[Arrays], run: Run, max_batch_size: int) -> list[Result]:
    """The result of each request, in order: its outputs, or the exception that it alone raises.

    Requests whose inputs agree in all but the first axis run as one along that axis, at most `max_batch_size` rows at a
    time; with 0 there is no such axis and each runs alone. If a merged run fails its requests run again one by one.
    """
    results: dict[int, Result] = {}
    for group in _groups(requests, max_batch_size):
        outcome = _run_group([requests[index] for index in group], run)
        results.update(zip(group, outcome, strict=True))
    return [results[index] for index in range(len(requests))]


def _run_group(requests: Sequence[Arrays], run: Run) -> Sequence[Result]:
    if len(requests) == 1:
        try:
            return [run(requests[0])]
        except Exception as error:  # whatever it is, it must not reach the other requests
            return [error]
    try:
        return _split(run(_concatenated(requests)), [_rows(request) for request in requests])
    except Exception:
        return [result for request in requests for result in _run_group([request], run)]


def _groups(requests: Sequence[Arrays], max_batch_size: int) -> Iterator[list[int]]:
    """Indices of requests that may run as one."""
    if max_batch_size == 0:
        yield from ([index] for index in range(len(requests)))
        return
    by_shape: dict[tuple[object, ...], list[int]] = {}
    for index, request in enumerate(requests):
        key = tuple((name, array.dtype, array.shape[1:]) for name, array in sorted(request.items()))
        group = by_shape.setdefault(key, [])
        if sum(_rows(requests[other]) for other in group) + _rows(request) > max_batch_size and group:
            yield by_shape.pop(key)
            group = by_shape.setdefault(key, [])
        group.append(index)
    yield from by_shape.values()


def _rows(request: Arrays) -> int:
    return len(next(iter(request.values())))


def _concatenated(requests: Sequence[Arrays]) -> Arrays:
    return {name: np.concatenate([request[name] for request in requests]) for name in requests[0]}


def _split(outputs: Arrays, rows: Sequence[int]) -> list[Arrays]:
    """Views of `outputs`, `rows[i]` rows for request i."""
    wrong = {name: len(array) for name, array in outputs.items() if len(array) != sum(rows)}
    if wrong:
        raise ValueError(f"{sum(rows)} rows went in and {wrong} came out")
    ends = np.cumsum(rows)
    return [
        {name: array[end - count : end] for name, array in outputs.items()}
        for end, count in zip(ends, rows, strict=True)
    ]
