"""The index of a layer, made from rings as they come and written to a folder; the points are never all in memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.client.view.layers.index import keys_of
from histoserve.client.view.layers.read import Rings

GATHERED = 20_000
"""Rings whose points are put in order together."""

UNSORTED = "unsorted"


class Builder:
    """Of one layer."""

    def __init__(self, folder: Path):
        """`folder` is made; raises OSError."""
        folder.mkdir()
        self._folder = folder
        self._unsorted = (folder / UNSORTED).open("wb")
        self._parts: dict[str, list[NDArray]] = {name: [] for name in ("box", "of", "hole", "line", "count")}

    def add(self, rings: Rings) -> None:
        """Raises OSError."""
        self._unsorted.write(rings.l0_points.tobytes())
        first = np.cumsum(rings.counts) - rings.counts
        box = np.zeros((len(first), 4), np.float32)
        if len(first):
            np.minimum.reduceat(rings.l0_points, first, out=box[:, :2])
            np.maximum.reduceat(rings.l0_points, first, out=box[:, 2:])
        # Named: what arrays of several kinds have in common, mypy finds on some runs and not on others.
        parts: tuple[NDArray, ...] = box, rings.of, rings.hole, rings.line, rings.counts
        for kept, part in zip(self._parts.values(), parts, strict=True):
            kept.append(part)

    def finish(self, progress: Callable[[float], None]) -> None:
        """Sorts, and writes; raises OSError."""
        self._unsorted.close()
        empty = {"box": np.zeros((0, 4), np.float32), "of": np.zeros(0, np.int32), "hole": np.zeros(0, bool)}
        whole = {
            name: np.concatenate([empty.get(name, np.zeros(0, np.int64)), *parts])
            for name, parts in self._parts.items()
        }
        count = whole.pop("count")
        key = keys_of(whole["box"])
        order = np.argsort(key, kind="stable")
        for name, values in {"key": key, **whole}.items():
            np.save(self._folder / f"{name}.npy", values[order])
        np.save(self._folder / "start.npy", np.append(0, np.cumsum(count[order])))
        self._write_points(np.cumsum(count) - count, count, order, progress)
        (self._folder / UNSORTED).unlink()

    def _write_points(
        self,
        first: NDArray[np.int64],
        count: NDArray[np.int64],
        order: NDArray[np.int64],
        progress: Callable[[float], None],
    ) -> None:
        total = int(count.sum())
        unsorted = np.memmap(self._folder / UNSORTED, np.float32, "r", shape=(total, 2)) if total else np.zeros((0, 2))
        with (self._folder / "points.npy").open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (total, 2)}
            np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
            for start in range(0, len(order), GATHERED):
                part = order[start : start + GATHERED]
                before = np.cumsum(count[part]) - count[part]
                at = np.arange(int(count[part].sum())) + np.repeat(first[part] - before, count[part])
                file.write(unsorted[at].tobytes())
                progress(start / len(order))
