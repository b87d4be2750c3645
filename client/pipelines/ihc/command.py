"""`histoserve read-ihc`: slides or tiles stained for a marker → how many of their tumour cells are positive."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from histoserve.client.analyze_command import (
    Addresses,
    Again,
    Ca,
    Certificate,
    Deadline,
    InFlight,
    Key,
    Mpp,
    Out,
    Quiet,
    Slides,
    TokenFile,
)
from histoserve.client.errors import WrongUsage
from histoserve.client.terminal import complain, complaints

NAME, PIPELINE = "read-ihc", Path(__file__).parent.name

By = Annotated[
    Literal["ratio", "count"],
    typer.Option("--reading", help="ratio: positive ÷ (positive + negative) tumour cells; count: positive ones."),
]


def command(
    slides: Slides,
    out: Out,
    server: Addresses = None,
    mpp: Mpp = None,
    reading: By = "ratio",
    in_flight: InFlight = 4,
    deadline: Deadline = 300,
    again: Again = False,
    quiet: Quiet = False,
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    token_file: TokenFile = None,
) -> None:
    """Reads slides or tiles stained for Ki67, ER, PR or HER2: tumour cells, positive and negative.

    The lesion region is found first, then the tumour cells in it. OUT/readings.csv has a row a slide; one without
    tumour has no reading, which is not 0. For HER2 this is no score from 0 to 3+.
    """
    # The other commands are quick to start without these.
    from histoserve.client.access import access_from_options
    from histoserve.client.analyze import Order
    from histoserve.client.call import Call, exit_code, run
    from histoserve.client.connect import connect
    from histoserve.client.gather import gather
    from histoserve.client.pipelines.ihc.readings import (
        Read,
        of_another_stain,
        print_readings,
        readings_of,
        write_readings,
    )
    from histoserve.client.progress import Board
    from histoserve.client.results.source import folder_of
    from histoserve.client.results.summary import Row
    from histoserve.client.slide import printable

    if not out.strip():
        raise WrongUsage("-o is empty: give the folder for the results.")
    access = access_from_options(ca, certificate, key, token_file)
    order = Order(Path(), "", Path(out), mpp, in_flight)
    found = gather(slides, complain)
    addresses = [each.strip() for value in server or [] for each in value.split(",")]
    refused = of_another_stain(found)
    for told in refused.values():
        complain(told)
    taken = [each for each in found if each not in refused]
    with Board(taken, [PIPELINE], complaints, quiet) as board:
        call = Call(taken, [PIPELINE], order, 1, again)
        rows = run(call, partial(connect, addresses, [PIPELINE], deadline, complain, access), board) if taken else []
    readings = readings_of(rows, [Path(out) / folder_of(each) / PIPELINE for each in taken])
    readings += [Read(printable(each.name), None, told) for each, told in refused.items()]
    write_readings(Path(out), readings, reading)
    if not quiet:
        print_readings(readings, reading)
    if code := exit_code([*rows, *(Row(printable(each.name), PIPELINE, "failed") for each in refused)]):
        raise typer.Exit(code)
