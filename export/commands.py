"""`histoserve export`, `histoserve train` and `histoserve score`."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from rich.console import Console

from histoserve.export.around import of_one_shape
from histoserve.export.deployment import VERSIONS
from histoserve.export.engines import side_of
from histoserve.export.foreign import foreign
from histoserve.export.foreign_parity import parity_with
from histoserve.export.golden_from_onnx import golden_from_onnx
from histoserve.export.graph import onnx_from_module
from histoserve.export.lower.precision import Lowered, can_be_lowered, lowered
from histoserve.export.lower.real_tiles import real_tiles
from histoserve.export.mapping import mapping_of
from histoserve.export.passport import Found, precision_of, runtimes_of
from histoserve.export.portable import require_portable
from histoserve.export.repository import INSTALLED, changes, with_passports
from histoserve.export.rooms import ONNX, graphs_of, importer, room
from histoserve.export.samples import ROWS, samples
from histoserve.export.served import ServedGraph
from histoserve.export.tensorrt_files import with_tensorrt
from histoserve.export.verify import verify, verify_rows
from histoserve.export.weight_file import load, require_finite, save_with_score, score_of
from histoserve.export.whole import write_together


def export(
    name: str,
    weights: Path | None,
    repository: Path | None,
    replace: bool = False,
    source: tuple[str, Path] | None = None,
    precision: str = "fp32",
    tiles: Path | None = None,
    tensorrt: bool = False,
) -> None:
    """Exports the graphs of pipeline `name`, compares them with PyTorch, and puts them into `repository`.

    `weights` is what `histoserve train` left; without it, the weights that come with histoserve. Without `repository`
    it is the installed one, of which nothing is changed unless told to `replace` what it serves. ValueError then, and
    for whatever cannot be exported or does not fit. `source` is the layout and the path of another program's file, in
    place of `weights`. What `precision` makes of the graphs that see tiles is tried on the pictures in `tiles`; with
    `tensorrt` their configs are for a GPU.
    """
    console = Console(highlight=False, soft_wrap=True)
    if source and weights:
        raise ValueError(f"--weights {weights} and --from {source[0]} {source[1]}: name one of them")
    require_tried(precision, tiles)
    elsewhere = source is not None and source[0] == ONNX
    network = importer(name, source[0]) if source and not elsewhere else room(name, "network")
    target = writable_repository(repository)
    given = source[1] if source else weights
    path = (given or Path(str(network.__file__)).with_name("weights.pt")).expanduser()
    if not path.is_file():
        raise ValueError(f"no weights at {path}; pass --weights FILE, made by `histoserve train {name}`")
    exported, parity, strayed = [], {}, {}
    for served, graph in joined_to(name, path, target) if elsewhere else traced_of(network, name, path):
        parity[served.model] = parity_with(path, served, graph) if elsewhere else parity_of(graph, served)
        if tiles and can_be_lowered(served):
            low = tried(served, graph, precision, real_tiles(tiles.expanduser(), side_at(served, target)))
            graph, strayed[served.model] = low.graph, low.said(precision)
        exported.append((served, graph))
    if tiles and not strayed:
        raise ValueError(f"no graph of {name} sees tiles alone, so none can be tried on them in {precision}")
    planned, found = changes(target, exported, path), {}
    for served, graph in exported:
        runtimes = runtimes_of(served.model, graph, served.max_batch_size, target, refuse=True)
        golden = golden_from_onnx(graph, side_of(served.model, target), precision_of(graph))
        found[served.model] = Found(parity[served.model], strayed.get(served.model, {}), runtimes, golden)
    planned = with_passports(target, planned, found)
    if tensorrt:
        planned = [with_tensorrt(target, each) if of_one_shape(each.config, target) else each for each in planned]
    refused = target.samefile(INSTALLED) and not replace
    for change in planned:
        for line in found[change.model].lines(change.model):
            console.print(line)
        console.print(f"  served before: {change.before or 'nothing'}")
        console.print(f"  {'would serve:  ' if refused else 'served now:   '} {change.after}")
        if change.dropped:
            console.print(f"  of its config, nothing for an ONNX graph, so left out: {'; '.join(change.dropped)}")
    if refused:
        raise ValueError(
            f"nothing was written: {target} is the installed repository. To replace what it serves by this, add"
            f" --replace; to leave it, copy it (cp -r {shlex.quote(str(target))} COPY) and name --repository COPY"
        )
    try:
        write_together({file: content for change in planned for file, content in change.files.items()})
    except OSError as error:
        raise ValueError(f"{target} is as it was: {error.filename}: {error.strerror}") from error
    console.print(f"written into {target}; a server that runs goes on with what it has loaded")


def traced_of(network: ModuleType, name: str, path: Path) -> Iterator[tuple[ServedGraph, onnx.ModelProto]]:
    """The graphs of the weights in `path`; ValueError for one that only one runtime would take."""
    for served in graphs_of(network, name, path):
        graph = onnx_from_module(served)
        require_portable(served.model, graph)
        yield served, graph


def joined_to(name: str, path: Path, repository: Path) -> Iterator[tuple[ServedGraph, onnx.ModelProto]]:
    """The graph in `path`, as a network of the pipeline; ValueError for one that the mapping joins to another."""
    model = mapping_of(path).model
    if model.partition("_")[0] != name or not (repository / model).is_dir():
        known = ", ".join(sorted(each.name for each in repository.glob(f"{name}_*network"))) or "none"
        raise ValueError(f"{path.with_suffix('.json')}: {model!r} is no network of {name}; there are: {known}")
    yield foreign(path, side_of(model, repository))


def parity_of(graph: onnx.ModelProto, served: ServedGraph) -> dict[str, Any]:
    """GraphDiffers if the graph is not near enough to PyTorch, or a row of it depends on the rows beside it."""
    arrays = samples(served)
    differences = verify(graph, served.module, served.outputs, arrays)
    if served.max_batch_size:
        verify_rows(graph, served.outputs, arrays[-1])
    return {
        "torch": torch.__version__,
        "largest_difference": {output: float(f"{largest:.3g}") for output, largest in differences.items()},
        "a_row_alone_is_the_row_in_a_batch": bool(served.max_batch_size),
    }


def tried(served: ServedGraph, graph: onnx.ModelProto, precision: str, tiles: NDArray[np.uint8]) -> Lowered:
    """The same in `precision`, and how near float32 it is."""
    low = lowered(served, graph, precision, tiles)
    require_portable(served.model, low.graph)
    if served.max_batch_size:
        verify_rows(low.graph, served.outputs, (tiles[:ROWS],))
    return low


def side_at(served: ServedGraph, repository: Path) -> int:
    """Of the tiles that the graph gets: its own if it takes one size only."""
    free = 1 in served.dynamic.get(served.inputs[0], {})
    return side_of(served.model, repository) if free else served.example[0].shape[1]


def require_tried(precision: str, tiles: Path | None) -> None:
    """ValueError for a precision that there is not, and for one that nothing is named to try it on."""
    if precision not in VERSIONS:
        raise ValueError(f"no precision is called {precision!r}; there are: {', '.join(VERSIONS)}")
    if precision != "fp32" and tiles is None:
        raise ValueError(
            f"--precision {precision} is tried on real tissue before it is written: name a folder of pictures at the"
            " network's µm/px, --tiles FOLDER"
        )
    if tiles is not None and not tiles.expanduser().is_dir():
        raise ValueError(f"no folder {tiles}, where the pictures of real tissue should be")
    if precision == "fp32" and tiles is not None:
        raise ValueError("--tiles are for --precision fp16 or int8; float32 is compared with PyTorch")


def writable_repository(repository: Path | None) -> Path:
    """Where to export to; ValueError, before anything is computed, if nothing can be written there."""
    target = INSTALLED if repository is None else repository.expanduser()
    if not target.is_dir():
        raise ValueError(
            f"no model repository at {target}; an export needs the pipeline's other models there: make one by"
            f" cp -r {shlex.quote(str(INSTALLED))} {shlex.quote(str(target))}"
        )
    if not os.access(target, os.W_OK | os.X_OK):
        raise ValueError(f"the model repository {target} cannot be written: copy it, and name --repository COPY")
    return target


def score(name: str, results: Path, data: Path, **options: object) -> None:
    """Prints how good the results of pipeline `name` in `results` are against the truth in `data`.

    `options` are further parameters of the pipeline's `score`.
    """
    for folder, what in ((results, "results of `histoserve analyze`"), (data, "labelled data")):
        if not folder.is_dir():
            raise ValueError(f"no folder {folder}, where the {what} should be")
    room(name, "score").score(data=data, results=results, **options)


def train(name: str, out: Path, **options: object) -> None:
    """Trains pipeline `name`, going on from what an interrupted run left in `out`, and says what to do with it then.

    `options` are parameters of the pipeline's `train`, which returns the path of the best weights. ValueError names
    what the pipeline needs and lacks, or does not have.
    """
    out = out.expanduser()
    command = f"the same command goes on there, with what is in {out}"
    try:
        training = room(name, "train")
        best = training.train(out=out, **options)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{str(error) or 'what was finished is kept'}; {command}.") from None
    except OSError as error:
        raise ValueError(f"{error.filename or out}: {error.strerror or error}; mend that, and {command}") from error
    halved = out / f"{name}.pt"
    state = {key: v.half() if v.is_floating_point() else v for key, v in load(best).items()}
    require_finite(state, f"the best weights, {best}, as float16")
    save_with_score(state, halved, score_of(best) or {}, trained_on(training, options))
    weights, installed = shlex.quote(str(halved)), shlex.quote(str(INSTALLED))
    copy = shlex.quote(str(out / "repository"))
    Console(highlight=False, soft_wrap=True).print(
        f"best weights, as float16: {halved}\nTo try them beside what is installed:\n"
        f"  cp -rT {installed} {copy}\n"
        f"  histoserve export {name} --weights {weights} --repository {copy}\n"
        f"  histoserve serve --repository {copy}"
    )


def trained_on(training: ModuleType, options: Mapping[str, object]) -> str | None:
    """What the pipeline's training says of its data, and with which options; folders may have patients' names."""
    data: str | None = getattr(training, "TRAINED_ON", None)
    chosen = " ".join(f"--{name} {each}" for name, each in options.items() if not isinstance(each, Path | None))
    return f"{data}; {chosen}" if data and chosen else data
