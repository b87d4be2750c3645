"""The command `histoserve`. Exit: 0 complete, 1 failed, 2 wrong usage, 3 finished but not of all, 130 interrupted."""

import importlib
import io
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from histoserve.client import analyze_command, own_commands, own_options
from histoserve.client.analyze_command import EXAMPLES, analyze
from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.labels.command import label
from histoserve.client.rooms import group
from histoserve.client.terminal import complain
from histoserve.client.view import options as of_view

INTERRUPTED = 128 + signal.SIGINT
"""As shells say it."""


@contextmanager
def _in_words() -> Iterator[None]:
    """What is expected to go wrong is told without a traceback."""
    try:
        yield
    except HistoserveError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        # All is cleared up; an impatient second one would only end this with a traceback.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        complain(f"interrupted; {str(error) or 'nothing was written.'}")
        raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=own_commands.group(lambda command: _in_words()(command)),
    help="From trained pathology networks and whole-slide images to results, through NVIDIA Triton.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Repository = Annotated[Path | None, typer.Option(help="Model repository; without it the installed one.")]


def main() -> None:
    """Runs the command; `kill` ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        # A file's name may hold bytes that are no text, and a terminal may know few letters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except KeyboardInterrupt:
        # Once more, while the first one was being obeyed.
        sys.exit(INTERRUPTED)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from histoserve.client.results.result_json import client_version

        typer.echo(f"histoserve {client_version()}")
        raise typer.Exit


@app.callback(help=app.info.help, epilog="Begin with: histoserve analyze --help, or make demo in a checkout.")
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version, and no more.")
    ] = False,
) -> None:
    """What stands before a command."""


def _analyze() -> Callable[..., None]:
    with _in_words():
        functions = own_options.of_rooms()
    return _in_words()(own_options.with_own_options(analyze, functions))


@app.command("analyze", help=EXAMPLES, cls=own_options.later("analyze", EXAMPLES, _analyze))
def _analyze_later() -> None:
    """Its options are known when it is called."""


@app.command()
def view(
    outs: of_view.Outs,
    slide: of_view.SlidePlace = None,
    port: of_view.Port = 0,
    address: of_view.ListenAt = "127.0.0.1",
    allow_network: of_view.AllowNetwork = False,
    allow_host: of_view.AllowHosts = None,
    anonymous: of_view.Anonymous = False,
    reader: of_view.Reader = "doctor",
    language: of_view.Language = None,
    cache: of_view.CacheFolder = None,
    registration: of_view.Registration = None,
) -> None:
    """Shows results in a browser: the slide, what was found on it, and what was not looked at."""
    with _in_words():
        order = _lazily("histoserve.client.view.command", "Order", "view")
        given = (outs, slide, port, address, allow_network, allow_host or ())
        _lazily("histoserve.client.view.command", "view", "view")(
            order(*given, anonymous, reader, language, cache, registration)
        )


@app.command()
def register(
    he: Annotated[Path, typer.Argument(metavar="HE", help="The H&E slide, which stays.")],
    ihc: Annotated[Path, typer.Argument(metavar="IHC", help="The same tissue stained for a marker.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder of the two files.")],
    mpp: Annotated[float | None, typer.Option(help="µm per pixel of HE, if the file does not say or is wrong.")] = None,
    mpp_ihc: Annotated[float | None, typer.Option(help="The same of IHC.")] = None,
) -> None:
    """Finds how two stained sections of one tissue lie to each other: OUT/registration.json, OUT/checkerboard.png."""
    # The other commands are quick to start without this.
    from histoserve.client.registration.command import register_files

    with _in_words():
        for line in register_files(he, ihc, out, mpp, mpp_ihc)[1]:
            typer.echo(line)


app.command("label")(_in_words()(label))


@app.command()
def serve(
    repository: Repository = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="gRPC port on loopback; without it 8001.")] = None,
    http_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Without it a free one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Without it a free one.")] = None,
    pipeline: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Serve it alone, for less memory; may be repeated.")
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="So many servers, with Envoy before them.")] = 1,
    golden: Annotated[
        bool, typer.Option("--golden", help="First ask each network for its golden outputs; end if it gives others.")
    ] = False,
) -> None:
    """Runs Triton from the wheel, for this machine only; prints its addresses once it is ready."""
    with _in_words():
        run_server = _lazily("histoserve.deploy.local.serve", "serve", "server")
        tried = _lazily("histoserve.export.golden_check", "check", "server") if golden else None
    raise typer.Exit(run_server(repository, port, http_port, metrics_port, pipeline or (), replicas, tried))


@app.command()
def golden(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]…", help="Without any, all that it has.")
    ] = None,
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="Any Triton, on any runtime.")] = "127.0.0.1:8001",
    repository: Repository = None,
) -> None:
    """Asks a server's networks for a dozen answers that are known; exits 1 where one strays beyond its bounds."""
    with _in_words():
        installed = _lazily("histoserve.deploy.local.serve", "installed_repository", "server")
        check = _lazily("histoserve.export.golden_check", "check", "server")
        for line in _told(check, server, repository or installed(), models or ()):
            typer.echo(line)


@app.command()
def describe(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="As in `nuclei`.")],
    server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="What this one serves; without it what is installed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    protocol: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write Triton's gRPC protocol, for other languages.")
    ] = None,
    ca: analyze_command.Ca = None,
    certificate: analyze_command.Certificate = None,
    key: analyze_command.Key = None,
    token_file: analyze_command.TokenFile = None,
) -> None:
    """Tells who calls from other software what a pipeline takes and gives: tensors, sizes, units, limits, errors."""
    with _in_words():
        describe = _lazily("histoserve.client.describe.command", "describe", "server")
        describe(pipeline, server, as_json, protocol, ca, certificate, key, token_file)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Pipeline.")],
    weights: Annotated[Path | None, typer.Option(help="What `train` left; without it the installed ones.")] = None,
    repository: Repository = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also if it is the installed repository.")] = False,
    source: Annotated[
        tuple[str, Path] | None,
        typer.Option("--from", metavar="LAYOUT FILE", help="Another program's weights, as in `hovernet net.tar`."),
    ] = None,
    precision: Annotated[str, typer.Option(help="`fp32`, `fp16` for GPUs, or `int8`.")] = "fp32",
    tiles: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Pictures at the network's µm/px that fp16 and int8 are tried on."),
    ] = None,
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="Configs for GPUs: one shape, by TensorRT; and an engine for RTX.")
    ] = False,
) -> None:
    """Turns a network into verified graphs in a model repository."""
    with _in_words():
        export = _lazily("histoserve.export.commands", "export", "export")
        _ask(export, name, weights, repository, replace, source, precision, tiles, tensorrt)


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As in `nuclei_network`.")],
    repository: Repository = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tells what a served graph is made of, what it costs a tile, where it comes from and what runs it."""
    with _in_words():
        _ask(_lazily("histoserve.export.inspect_command", "inspect", "export"), model, repository, as_json)


def _training(module: str) -> Callable[..., Any]:
    with _in_words():
        return _lazily(module, "train", "export")


def _train(name: str, **options: Any) -> None:
    with _in_words():
        _ask(partial(_lazily("histoserve.export.commands", "train", "export"), name, **options))


app.add_typer(
    typer.Typer(cls=group("histoserve.export", "train", _training, _train), no_args_is_help=True),
    name="train",
    help="Trains a pipeline's network.",
)


def _scoring(module: str) -> Callable[..., Any]:
    with _in_words():
        return _lazily(module, "score", "export")


def _score(name: str, **options: Any) -> None:
    with _in_words():
        _ask(partial(_lazily("histoserve.export.commands", "score", "export"), name, **options))


app.add_typer(
    typer.Typer(cls=group("histoserve.export", "score", _scoring, _score), no_args_is_help=True),
    name="score",
    help="Compares results that were served with labelled data.",
)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to measure; an unknown one names those there are.")],
    image: Annotated[Path | None, typer.Option(help="A tile at the network's mpp; without it a phantom.")] = None,
) -> None:
    """Measures ratios against a baseline of the same run; fails under the target."""
    with _in_words():
        code = _ask(_lazily("histoserve.benchmark", "bench", "dev"), name, image)
    raise typer.Exit(code)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT.tiff", help="The slide to write.")],
    kind: Annotated[str, typer.Option(help="What it shows; an unknown one names those there are.")] = "he",
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Pixels.")] = "4096x4096",
    mpp: Annotated[float, typer.Option(help="µm per pixel.")] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal slides.")] = 0,
    truth: Annotated[Path | None, typer.Option(help="Also write what is on it, as GeoJSON.")] = None,
    pair: Annotated[
        Path | None,
        typer.Option(metavar="OUT.tiff", help="Also write the next section of the tissue, where a kind can."),
    ] = None,
    same_section: Annotated[bool, typer.Option("--same-section", help="Of the pair: the same section again.")] = False,
) -> None:
    """Draws a slide that never was tissue, with a known truth."""
    width, _, height = size.partition("x")
    with _in_words():
        if not (width.isdigit() and height.isdigit()):
            raise WrongUsage(f"--size {size!r} is none: give WIDTHxHEIGHT in pixels, as in 4096x4096.")
        if same_section and pair is None:
            raise WrongUsage("--same-section says what the second slide shows: name that slide with --pair.")
        pixels = (int(width), int(height))
        if pair is None:
            write = partial(_lazily("histoserve.phantom", "write_phantom", "server"), out)
        else:
            both = _lazily("histoserve.phantom", "write_pair", "server")
            write = partial(both, out, pair, same_section=same_section)
        _ask(partial(write, kind=kind, size=pixels, mpp=mpp, seed=seed, truth=truth))


def _lazily(module: str, name: str, extra: str) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise HistoserveError(
            f"This command needs more than is installed ({error}): pip install 'histoserve[{extra}]'."
        ) from error
    return function


def _told(function: Callable[..., Iterator[str]], *arguments: Any) -> Iterator[str]:
    """Its lines; the same."""
    try:
        yield from function(*arguments)
    except (ValueError, OSError) as error:
        raise HistoserveError(str(error)) from error


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls it; the other folders say by ValueError that what the user asked for cannot be done."""
    try:
        return function(*arguments)
    except (ValueError, OSError) as error:
        raise HistoserveError(str(error)) from error


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
