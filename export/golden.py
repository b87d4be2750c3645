"""A graph's golden outputs, kept beside it in `golden.npz`: a dozen inputs, and what it answers to each.

    pictures ─▶ graph, by ONNX Runtime on a CPU ─▶ outputs ─▶ every 8th pixel of maps, all of the rest ─▶ golden.npz

Any runtime is held against them (`golden_check`), within bounds that its graph's precision has. NumPy alone, so that a
server can be asked where no network is exported.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoserve.export.near import Bounds, faults, strayed

FILE = "golden.npz"
INPUT, OUTPUT = "input/", "output/"
"""Before the names of tensors in the file."""
ROWS = 12
EVERY = 8
"""So many pixels of maps one of which is kept, across and down."""
BOUNDS = {
    "fp32": Bounds(levels=2, outliers=1e-3, flips=1e-3, part=2e-3, jumps=1e-3),
    "fp16": Bounds(levels=2, outliers=1e-3, flips=1e-3, part=2 / 255, jumps=0.01),
    "int8": Bounds(levels=16, outliers=0.02, flips=0.01, part=0.1, jumps=0.02),
}
"""For a runtime that computes the same graph, with sums in another order."""


def sampled(array: NDArray) -> NDArray:
    """Of maps (N, H, W, C) every `EVERY`th pixel; all of other outputs."""
    if array.dtype == np.uint8 and array.ndim == 4:
        return array[:, EVERY // 2 :: EVERY, EVERY // 2 :: EVERY]
    return array


def larger(array: NDArray, times: int) -> NDArray:
    """As a network takes it: pictures are kept at a part of their size."""
    return array.repeat(times, 1).repeat(times, 2) if array.dtype == np.uint8 else array


def parts(arrays: Mapping[str, NDArray], prefix: str) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}


def arrays_in(path: Path) -> Mapping[str, NDArray]:
    """ValueError for a file that is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        # What NumPy and zlib raise of a stranger's bytes has no common class.
        raise ValueError(f"{path} holds no golden outputs, or is damaged ({type(error).__name__})") from None


def compared(
    found: Mapping[str, NDArray], wanted: Mapping[str, NDArray], bounds: Bounds
) -> tuple[Sequence[str], Sequence[str]]:
    """How far each output strays, and of those beyond their bounds why that is too far."""
    told, wrong = [], []
    for name, array in wanted.items():
        if found[name].shape != array.shape or found[name].dtype != array.dtype:
            came, want = (f"{each.dtype} {list(each.shape)}" for each in (found[name], array))
            wrong.append(f"{name} is {came}, wanted {want}")
            continue
        each = strayed(found[name], array, exactly(array, bounds))
        told.append(f"{name} {each}")
        wrong += [f"{name}: {fault}" for fault in faults(each, exactly(array, bounds))]
    return told, wrong


def exactly(array: NDArray, bounds: Bounds) -> Bounds:
    """Numbers that name something, as NETWORK does, are equal or another one's."""
    return Bounds(0, 0, 0, 0, 0) if array.dtype.kind == "i" else bounds


def rows_of(arrays: Mapping[str, NDArray], rows: int) -> Iterator[dict[str, NDArray]]:
    """One request after the other; of a graph without a batch axis there is one."""
    for number in range(rows):
        yield {name: array if rows == 1 else array[number : number + 1] for name, array in arrays.items()}
