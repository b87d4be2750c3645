"""The rows of a call as a table."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from histoserve.client.results.summary import GOOD, Row

WIDE = 10_000
"""Columns where no terminal cuts a line: whoever reads it later looks for whole names."""


def print_table(rows: Sequence[Row]) -> None:
    """On the standard output."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    table = Table("slide", "pipeline", "result", box=None, pad_edge=False)
    table.add_column("time", justify="right")
    table.add_column("folder", overflow="fold")
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f} s"
        table.add_row(*(Text(each) for each in (row.slide, row.pipeline, _said(row), seconds, row.folder)))
    console.print(table)


def _said(row: Row) -> str:
    """The result, and what one should know before reading it."""
    notes = {"complete": "", "tiles missing": " (tiles missing)", "already there": " (already there)"}
    return row.result + notes[row.state] if row.state in GOOD else row.state
