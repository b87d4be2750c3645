"""The writing of a training set: only here, under a lock, a whole file at a time."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from histoserve.client.errors import OutputError
from histoserve.client.labels.label import Decision, Label, Pair, Tile
from histoserve.client.labels.read import TABLE, read_table, rows_of
from histoserve.client.labels.record import JOURNAL, PAIR, TILES, Record, line_of, pair_folder, read_records
from histoserve.client.labels.table import text_of
from histoserve.client.replace import replace_file
from histoserve.client.slide import printable

LOCK = ".lock"

EMPTY = b"pair,tile,decision\n"


@contextmanager
def locked(folder: Path, busy: str | None = None) -> Iterator[None]:
    """While it is held no other of our processes writes here; raises OutputError, at once if `busy` says of what."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(folder / LOCK, "ab"))
        except OSError as error:
            raise _unwritable(folder / LOCK, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError as error:
            raise OutputError(f"{busy}: wait until it has ended, or stop it.") from error
        yield


def write_table(folder: Path, labels: Iterable[Label]) -> None:
    """In the order of pairs and tiles; raises OutputError."""
    ordered = sorted(labels, key=lambda label: label.key)
    try:
        replace_file(folder / TABLE, text_of(ordered).encode())
    except OSError as error:
        raise _unwritable(folder / TABLE, error) from error


def begin_pair(folder: Path, pair: Pair) -> Path:
    """Makes the folder of the pair, with nothing in it but what the pair is; raises OutputError."""
    place = pair_folder(folder, pair.number)
    try:
        place.mkdir(parents=True)
        replace_file(place / PAIR, (json.dumps(asdict(pair), indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise _unwritable(place, error) from error
    return place


def record_tile(place: Path, tile: Tile) -> None:
    """Adds it to what is known of an unfinished pair; its pictures are there. Raises OutputError."""
    try:
        with open(place / JOURNAL, "a", encoding="utf-8") as file:
            file.write(line_of(tile))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(place / JOURNAL, error) from error


def finish_pair(folder: Path, pair: Pair) -> None:
    """The pair is whole: those of its tiles that are no rows yet become rows. Raises OutputError, LabelsError."""
    place = pair_folder(folder, pair.number)
    with locked(folder):
        if (place / JOURNAL).exists():
            os.replace(place / JOURNAL, place / TILES)
        records = read_records(folder)
        table = read_table(folder) if (folder / TABLE).exists() else EMPTY
        known = rows_of(table, records, printable(folder / TABLE))
        new = {label.key: label for label in map(partial(_first, records[pair.number]), records[pair.number].tiles)}
        write_table(folder, {**new, **known}.values())


def _first(record: Record, tile: int) -> Label:
    """Before anybody has looked at it."""
    found = record.tiles[tile]
    return Label(record.pair, found, Decision.DROP if found.reason else Decision.UNDECIDED, record.folder)


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{printable(path)} cannot be written: {error.strerror}. Make room, or give a folder that you may write to."
    )
