"""`histoserve export`, `histoserve train` and `histoserve score`."""

import os
import shlex
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console

from histoserve.export.deployment import VERSIONS
from histoserve.export.engines import engine_of, side_of
from histoserve.export.graph import onnx_from_module
from histoserve.export.portable import require_portable
from histoserve.export.precision import can_be_lowered, lowered
from histoserve.export.real_tiles import real_tiles
from histoserve.export.repository import INSTALLED, changes
from histoserve.export.rooms import graphs_of, importer, room
from histoserve.export.samples import ROWS, samples
from histoserve.export.served import ServedGraph
from histoserve.export.tensorrt import library
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
) -> None:
    """Exports the graphs of pipeline `name`, compares them with PyTorch, and puts them into `repository`.

    `weights` is what `histoserve train` left; without it, the weights that come with histoserve. Without `repository`
    it is the installed one, of which nothing is changed unless told to `replace` what it serves. ValueError then, and
    for whatever cannot be exported or does not fit. `source` is the layout and the path of another program's file, in
    place of `weights`. What `precision` makes of the graphs that see tiles is tried on the pictures in `tiles`.
    """
    console = Console(highlight=False, soft_wrap=True)
    if source and weights:
        raise ValueError(f"--weights {weights} and --from {source[0]} {source[1]}: name one of them")
    require_tried(precision, tiles)
    network = importer(name, source[0]) if source else room(name, "network")
    target = writable_repository(repository)
    given = source[1] if source else weights
    path = (given or Path(str(network.__file__)).with_name("weights.pt")).expanduser()
    if not path.is_file():
        raise ValueError(f"no weights at {path}; pass --weights FILE, made by `histoserve train {name}`")
    exported, told = [], []
    for served in graphs_of(network, name, path):
        graph, said = verified(served)
        if tiles and can_be_lowered(served):
            graph, figures = tried(served, graph, precision, real_tiles(tiles.expanduser(), side_at(served, target)))
            said += f"\n  {figures}"
        exported.append((served, graph))
        told.append(said)
    if tiles and not any(can_be_lowered(served) for served, _ in exported):
        raise ValueError(f"no graph of {name} sees tiles alone, so none can be tried on them in {precision}")
    planned = changes(target, exported, path)
    refused = target.samefile(INSTALLED) and not replace
    if trt := library():
        for number, (served, graph) in enumerate(exported):
            engine = engine_of(trt, served.model, graph, served.max_batch_size, target)
            told[number] += f"\n  TensorRT {trt.__version__}: {engine}"
    for change, printed in zip(planned, told, strict=True):
        console.print(f"{change.model}: against PyTorch: {printed}")
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


def verified(served: ServedGraph) -> tuple[onnx.ModelProto, str]:
    """The graph, and how near PyTorch it is; ValueError if it is not near enough or only one runtime would take it."""
    graph = onnx_from_module(served)
    require_portable(served.model, graph)
    arrays = samples(served)
    differences = verify(graph, served.module, served.outputs, arrays)
    if served.max_batch_size:
        verify_rows(graph, served.outputs, arrays[-1])
    return graph, ", ".join(f"{output} within {largest:.3g}" for output, largest in differences.items())


def tried(
    served: ServedGraph, graph: onnx.ModelProto, precision: str, tiles: NDArray[np.uint8]
) -> tuple[onnx.ModelProto, str]:
    """The same in `precision`, and how near float32 it is."""
    low = lowered(served, graph, precision, tiles)
    require_portable(served.model, low.graph)
    if served.max_batch_size:
        verify_rows(low.graph, served.outputs, (tiles[:ROWS],))
    return low.graph, f"{precision} against float32, on {len(tiles)} real tiles: {low}"


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
        best = room(name, "train").train(out=out, **options)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"{str(error) or 'what was finished is kept'}; {command}.") from None
    except OSError as error:
        raise ValueError(f"{error.filename or out}: {error.strerror or error}; mend that, and {command}") from error
    halved = out / f"{name}.pt"
    state = {key: v.half() if v.is_floating_point() else v for key, v in load(best).items()}
    require_finite(state, f"the best weights, {best}, as float16")
    save_with_score(state, halved, score_of(best) or {})
    weights, installed = shlex.quote(str(halved)), shlex.quote(str(INSTALLED))
    copy = shlex.quote(str(out / "repository"))
    Console(highlight=False, soft_wrap=True).print(
        f"best weights, as float16: {halved}\nTo try them beside what is installed:\n"
        f"  cp -rT {installed} {copy}\n"
        f"  histoserve export {name} --weights {weights} --repository {copy}\n"
        f"  histoserve serve --repository {copy}"
    )
