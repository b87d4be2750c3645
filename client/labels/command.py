"""`histoserve label`: what the user typed becomes a pair of a training set."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from histoserve.client.analyze_command import Addresses, Deadline, Quiet
from histoserve.client.errors import WrongUsage
from histoserve.client.terminal import complaints

NOT_ALL = 3
"""Exit: finished, but something could not be read."""

He = Annotated[Path, typer.Argument(metavar="HE", help="The H&E slide.")]
Ihc = Annotated[Path, typer.Argument(metavar="IHC", help="The same tissue stained for the marker.")]
Out = Annotated[
    str, typer.Option("-o", "--out", metavar="DIR", help="The training set's folder; further pairs are added to it.")
]
Marker = Annotated[str, typer.Option(help="What the IHC is stained for, as in ki67.")]
Mpp = Annotated[float | None, typer.Option(help="µm per pixel of HE, if the file does not say or is wrong.")]
MppIhc = Annotated[float | None, typer.Option(help="The same of IHC.")]
TilePx = Annotated[int, typer.Option(min=32, max=4096, help="Side of a tile's picture, in pixels.")]
TileMpp = Annotated[float, typer.Option(min=0.05, max=50, help="µm per pixel of a tile's picture.")]
Laid = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What `register` wrote; without it they are registered here.")
]


def label(
    he: He,
    ihc: Ihc,
    out: Out,
    marker: Marker,
    mpp: Mpp = None,
    mpp_ihc: MppIhc = None,
    tile_px: TilePx = 1024,
    tile_mpp: TileMpp = 0.3,
    registration: Laid = None,
    server: Addresses = None,
    deadline: Deadline = 300,
    quiet: Quiet = False,
) -> None:
    """Adds the tiles of two stained sections to a training set: what was read in the IHC labels the H&E.

    Both are registered and cut by the same rule, each IHC tile is read. Nothing trains before somebody has accepted it:
    `histoserve view DIR`, or the column `decision` of DIR/labels.csv beside the sheets in DIR/sheets.
    A run that was stopped goes on from where it was.
    """
    # The other commands are quick to start without these.
    from histoserve.client.analyze import Watcher
    from histoserve.client.labels.label_pair import Order, label_pair
    from histoserve.client.labels.report import said
    from histoserve.client.progress import Board
    from histoserve.client.tile_reading import tile_reader

    if not out.strip():
        raise WrongUsage("-o is empty: give the folder of the training set.")
    order = Order(he, ihc, Path(out), marker, tile_px, tile_mpp, mpp, mpp_ihc, registration)
    addresses = [each.strip() for value in server or [] for each in value.split(",")]

    @contextmanager
    def watch() -> Iterator[Watcher]:
        with Board([he], ["label"], complaints, quiet) as board, board.watcher(he, "label") as watcher:
            yield watcher

    outcome = label_pair(order, partial(tile_reader, addresses, deadline), watch)
    if not quiet:
        typer.echo(said(order.out, outcome))
    if outcome.unread:
        raise typer.Exit(NOT_ALL)
