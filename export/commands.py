"""`histoserve export`, `histoserve train` and `histoserve score`."""

import importlib
import inspect
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from histoserve.export.graph import ServedGraph, onnx_from_module, weights_from_file
from histoserve.export.repository import write_networks
from histoserve.export.verify import verify, verify_rows

HERE = Path(__file__).parent
SIDES = (64, 128)
"""Sizes, divisible by 32, at which a graph is compared with PyTorch before it is delivered."""
ROWS = 5
"""An odd number, for kernels that take rows in pairs or fours."""


def part(folder: str, name: str) -> object:
    """The module of pipeline `name` in `networks`, `training` or `scoring`; ValueError naming those that exist."""
    known = sorted(path.stem for path in (HERE / "training").glob("*.py") if (HERE / "networks" / path.name).exists())
    known = [stem for stem in known if not stem.startswith("_")]
    if name not in known:
        raise ValueError(f"no network is called {name!r}; there are: {', '.join(known)}")
    return importlib.import_module(f"histoserve.export.{folder}.{name}")


def samples(served: ServedGraph) -> list[tuple[np.ndarray, ...]]:
    """Seeded noise of two sizes in the shape of the example, `ROWS` a batch; real tiles are compared in the tests."""
    random = np.random.default_rng(0)
    result = []
    for side in SIDES:
        arrays = []
        for name, tensor in zip(served.inputs, served.example, strict=True):
            free = served.dynamic.get(name, {})
            sizes = {axis: side if axis else ROWS for axis in free}
            shape = [sizes.get(axis, extent) for axis, extent in enumerate(tensor.shape)]
            array = random.integers(0, 256, shape) if tensor.dtype == torch.uint8 else random.normal(0, 1, shape)
            arrays.append(array.astype(tensor.numpy().dtype))
        result.append(tuple(arrays))
    return result


def export(name: str, weights: Path | None, repository: Path) -> None:
    """Exports the graphs of pipeline `name`, compares them with PyTorch, and puts them into `repository`.

    `weights` is what `histoserve train` left; without it, the weights that come with histoserve.
    """
    console = Console()
    network = part("networks", name)
    path = weights or HERE / "weights" / f"{name}.pt"
    if not path.is_file():
        raise ValueError(f"no weights at {path}; pass --weights FILE, made by `histoserve train {name}`")
    state = weights_from_file(path)
    exported, told = [], []
    for served in network.served(state):  # type: ignore[attr-defined]
        graph = onnx_from_module(served)
        arrays = samples(served)
        differences = verify(graph, served.module, served.outputs, arrays)
        if served.max_batch_size:
            verify_rows(graph, served.outputs, arrays[-1])
        exported.append((served, graph))
        told.append(", ".join(f"{output} within {largest:.3g}" for output, largest in differences.items()))
    for target, printed in zip(write_networks(repository, exported), told, strict=True):
        console.print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB; against PyTorch: {printed}", soft_wrap=True)


def score(name: str, results: Path, data: Path) -> None:
    """Prints how good the results of pipeline `name` in `results` are against the truth in `data`."""
    part("scoring", name).score(data, results)  # type: ignore[attr-defined]


def train(
    name: str, data: Path | None, out: Path, width: float | None, epochs: int | None, seed: int, **choices: object
) -> None:
    """Trains pipeline `name` on `data`, going on from what an interrupted run left in `out`.

    `choices` are what only some networks have, such as the extractor of peakmap; None leaves them to the network.
    ValueError names what the pipeline needs and lacks, or does not have.
    """
    training = part("training", name)
    options = {"data": data, "width": width, **choices}
    known = inspect.signature(training.train).parameters  # type: ignore[attr-defined]
    for option, value in options.items():
        if value is not None and option not in known:
            raise ValueError(f"--{option} is nothing that {name} can be trained with")
        if value is None and option in known and known[option].default is inspect.Parameter.empty:
            raise ValueError(f"{name} cannot be trained without --{option}")
    given = {option: value for option, value in options.items() if value is not None}
    best = training.train(out=out, epochs=epochs or training.EPOCHS, seed=seed, **given)  # type: ignore[attr-defined]
    halved = out / f"{name}.pt"
    state = torch.load(best, weights_only=True)
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, halved)
    Console().print(f"best weights, as float16: {halved}\nnow: histoserve export {name} --weights {halved}")
