"""`histoserve analyze`: what the user typed becomes a call, its rows a table and an exit code."""

import pkgutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from histoserve.client.errors import WrongUsage
from histoserve.client.terminal import complain, complaints

KNOWN = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("pipelines"))]))
"""Pipelines; to import them all would take a second."""

REPOSITORY = Path(__file__).parents[1] / "model_repository"
HERE = [name for name in KNOWN if (REPOSITORY / f"{name}_tiles").is_dir()] or KNOWN
"""Those that can be tried at once: of others the network is not installed; a client alone has none of them."""

SLIDES = typer.Argument(
    metavar="SLIDE…",
    help="Anything OpenSlide opens, a PNG, JPEG or TIFF (with --mpp), DICOM, or a folder of these.",
)
Slides = Annotated[list[Path], SLIDES]
SlidesOrList = Annotated[list[Path] | None, SLIDES]
ListFile = Annotated[
    Path | None, typer.Option("--list", metavar="FILE", help="Names slides or folders, one a line, beside the file.")
]
Part = Annotated[
    str | None,
    typer.Option(
        metavar="I/N", help="Only each N-th of the slides, from number I (0 to N−1) on: N calls share an archive."
    ),
]
Pipelines = Annotated[
    list[str],
    typer.Option("--pipeline", metavar="NAME[,NAME…]", help=f"What to look for: {', '.join(KNOWN)}."),
]
Out = Annotated[str, typer.Option("-o", "--out", metavar="OUT", help="The results lie in OUT/SLIDE/PIPELINE/.")]
Addresses = Annotated[
    list[str] | None,
    typer.Option(
        "--server", metavar="HOST:PORT", help="gRPC address; may be repeated. Without it one is started here."
    ),
]
Ca = Annotated[
    str | None,
    typer.Option("--ca", metavar="FILE", help="TLS: who signed the servers' certificates (PEM), or `system`."),
]
Certificate = Annotated[Path | None, typer.Option(help="TLS: our own certificate (PEM), where servers ask for one.")]
Key = Annotated[Path | None, typer.Option(help="The key of --certificate (PEM).")]
TokenFile = Annotated[
    Path | None, typer.Option(help="Holds a bearer token for the servers; read again when it was changed.")
]
Mpp = Annotated[float | None, typer.Option(help="µm per pixel, if the files do not say or are wrong.")]
InFlight = Annotated[int, typer.Option(min=1, help="Requests that the servers hold at a time.")]
Batch = Annotated[int, typer.Option(min=0, help="Tiles in a request; 0: as many as the server takes.")]
Coding = Annotated[
    str,
    typer.Option(
        help="stored (the slide's own JPEGs where these are exact, else raw), raw (pixels), jpeg[:QUALITY] (changed)."
    ),
]
Deadline = Annotated[float, typer.Option(min=1, help="Seconds until an unanswered request ends the slide's run.")]
AtOnce = Annotated[int, typer.Option(min=1, help="Slides under way at a time; a large one takes up to 1 GB each.")]
Again = Annotated[bool, typer.Option("--again", help="Also what is there already, complete and of the same making.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no table; what goes wrong is told.")]

EXAMPLES = f"""Turns slides into results.

\b
Examples:
  histoserve analyze slide.svs --pipeline {HERE[0]} -o out
  histoserve analyze A.svs B.ndpi folder/ --pipeline {",".join(HERE[:2])} -o out
  histoserve analyze tile.png --mpp 0.25 --pipeline {HERE[0]} -o out
  histoserve analyze folder/ --pipeline {HERE[0]} --server gpu1:8001 -o out
  histoserve analyze --list archive.txt --shard 0/8 --pipeline {HERE[0]} -o out

\b
Exit: 0 complete; 1 failed; 2 wrong usage; 3 finished, but something could not
be analysed (OUT/summary.csv says what); 130 after Ctrl-C: the same command
goes on with what is not complete.
"""


def analyze(
    out: Out,
    pipeline: Pipelines,
    slides: SlidesOrList = None,
    server: Addresses = None,
    mpp: Mpp = None,
    in_flight: InFlight = 4,
    batch: Batch = 0,
    encoding: Coding = "stored",
    deadline: Deadline = 300,
    at_once: AtOnce = 2,
    again: Again = False,
    quiet: Quiet = False,
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    token_file: TokenFile = None,
    list_file: ListFile = None,
    shard: Part = None,
    own: Mapping[str, Any] | None = None,
) -> None:
    """`own`: of pipelines that have options of their own, what these say. Raises HistoserveError, KeyboardInterrupt, or
    typer.Exit.
    """
    # The other commands are quick to start without these.
    from histoserve.client.access import access_from_options
    from histoserve.client.analyze import Order
    from histoserve.client.call import Call, exit_code, run
    from histoserve.client.connect import connect
    from histoserve.client.gather import gather
    from histoserve.client.own_options import preparations
    from histoserve.client.progress import Board
    from histoserve.client.shard import shard_from_text, slides_of_list
    from histoserve.client.table import print_table
    from histoserve.client.travel.encode import encoding_from_text

    if not out.strip():
        raise WrongUsage("-o is empty: give the folder for the results.")
    access = access_from_options(ca, certificate, key, token_file)
    pipelines = list(dict.fromkeys(_names(pipeline)))
    order = Order(Path(), "", Path(out), mpp, in_flight, batch or None, encoding_from_text(encoding))
    part = shard_from_text(shard) if shard else None
    found = gather([*(slides or []), *(slides_of_list(list_file) if list_file else [])], complain)
    if part:
        found = part.of(found)
    summary = part.summary if part else None
    call = Call(found, pipelines, order, at_once, again, preparations(own or {}, pipelines), summary)
    with Board(found, pipelines, complaints, quiet) as board:
        rows = run(call, partial(connect, _names(server or []), pipelines, deadline, complain, access), board)
    if not quiet and any(row.folder for row in rows):
        print_table(rows)
    if code := exit_code(rows):
        raise typer.Exit(code)


def _names(values: list[str]) -> list[str]:
    """Of an option that may be repeated, and may name several with commas."""
    return [each.strip() for value in values for each in value.split(",")]
