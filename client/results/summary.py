"""`OUT/summary.csv`: a row for each slide and pipeline of a call, as in the table at its end."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from histoserve.client.errors import OutputError
from histoserve.client.replace import replace_file

SUMMARY = "summary.csv"

State = Literal["complete", "already there", "tiles missing", "failed", "not finished"]
GOOD: tuple[State, ...] = ("complete", "already there", "tiles missing")
"""There is a result."""

COLUMNS = ("slide", "pipeline", "state", "result", "seconds", "folder", "remark")


@dataclass(frozen=True)
class Row:
    """What became of one slide in one pipeline."""

    slide: str
    """Name of the file."""
    pipeline: str
    state: State = "not finished"
    result: str = ""
    """In a few words."""
    seconds: float | None = None
    folder: str = ""
    """Where the result lies."""
    remark: str = ""
    """Why there is none, or not of all tiles."""


def write_summary(out: Path, rows: Iterable[Row], name: str = SUMMARY) -> None:
    """Replaces the file as a whole. Raises OutputError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        writer.writerow([row.slide, row.pipeline, row.state, row.result, seconds, row.folder, row.remark])
    replace_text(out / name, text.getvalue(), "summary")


def replace_text(path: Path, text: str, what: str) -> None:
    """Replaces the file as a whole; `what` it is, in a word. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise OutputError(
            f"The {what} cannot be written to {path}: {error.strerror}. Make room, or give another folder."
        ) from error
