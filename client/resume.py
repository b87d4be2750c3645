"""Which answers an analysis may go on from: those of the same slide, looked at in the same way, by the same models."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

from histoserve.client.contract import deciding
from histoserve.client.grid import PlannedTile
from histoserve.client.journal import Bound, Journal, bound_of, open_journal
from histoserve.client.results.folder import JOURNAL, ResultFolder
from histoserve.client.results.result_json import client_version
from histoserve.client.results.source import Source
from histoserve.client.travel.encode import Encoding
from histoserve.client.work import Work


def bound_to(source: Source, level: int, encoding: Encoding, work: Work) -> Bound:
    """All that decides what is sent and what is answered, except NETWORK, which only an answer tells.

    How many tiles a request has, and how many are in flight, decides nothing.
    """
    contract = asdict(deciding(work.contract))
    models = contract.pop("models")
    del contract["max_batch"]
    return {
        "the slide": source.content,
        "the slide's time of change": str(source.path.stat().st_mtime_ns),
        "the µm per pixel": repr(work.mpp),
        "the preparation": repr(work.frame),
        "the level": str(level),
        "the encoding": encoding.pixels,
        "the tiles": digest_of(work.tiles),
        "the models": json.dumps(models),
        "the pipeline's parameters": json.dumps(contract, sort_keys=True),
        "this program": client_version(),
    }


def digest_of(tiles: Iterable[PlannedTile]) -> str:
    """Of the JSON of all, a tile at a time."""
    digest, separator = sha256(b"["), ""
    for tile in tiles:
        digest.update(f"{separator}{json.dumps((tile.index, tile.region, tile.core))}".encode())
        separator = ", "
    digest.update(b"]")
    return digest.hexdigest()


@contextmanager
def answers_in(folder: ResultFolder, bound: Bound, say: Callable[[str], None]) -> Iterator[Journal]:
    """The journal of this run, with what an earlier one left if it fits; `say` is told what does not.

    It stays in the folder unless it is empty. Raises OSError.
    """
    journal = _journal_in(folder, bound, say)
    try:
        yield journal
    finally:
        journal.close()
        if journal.empty:
            folder.path(JOURNAL).unlink(missing_ok=True)


def _journal_in(folder: ResultFolder, bound: Bound, say: Callable[[str], None]) -> Journal:
    place = folder.path(JOURNAL)
    with folder.left_behind() as folders:
        found = [path for each in folders if (path := each / JOURNAL).exists()]
        fitting = [path for path in found if bound_of(path) == bound]
        if fitting:
            max(fitting, key=lambda path: path.stat().st_size).rename(place)
        elif found:
            say(f"An earlier run that did not finish is not gone on with: {_difference(found[0], bound)}.")
        for each in folders:
            rmtree(each, ignore_errors=True)
    return open_journal(place, bound)


def _difference(path: Path, bound: Bound) -> str:
    before = bound_of(path)
    if before is None:
        return "its journal cannot be read"
    changed = sorted(name for name in {*before, *bound} if before.get(name) != bound.get(name))
    return f"{' and '.join(changed)} changed"
