"""The results in the folders that a user names.

    OUT (of `analyze`)         ─▶ each OUT/<slide>/<pipeline>
    OUT/<slide>                ─▶ each of its pipelines
    OUT/<slide>/<pipeline>     ─▶ that one

What is in the way is told and does not keep the rest from being shown.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoserve.client.errors import HistoserveError, WrongUsage
from histoserve.client.results.folder import LAST, PREVIOUS, UNFINISHED
from histoserve.client.results.layers_json import LAYERS
from histoserve.client.slide import printable
from histoserve.client.view.problem import NotShown, Problem
from histoserve.client.view.result import Result, read_folder


@dataclass(frozen=True)
class Missing:
    """A folder that is not shown."""

    folder: Path
    problem: Problem

    def __str__(self) -> str:
        return f"{printable(self.folder)}: {self.problem.detail}"


def find_results(named: Sequence[Path]) -> tuple[list[Result], list[Missing]]:
    """Each result once, in the order given, those of a folder by name.

    Raises WrongUsage for what is no folder, HistoserveError if there is nothing to show.
    """
    results, missing, seen = [], [], set()
    for folder in (each for name in named for each in _folders(name)):
        place = folder.resolve()
        if place in seen:
            continue
        seen.add(place)
        try:
            results.append(read_folder(folder))
        except NotShown as error:
            missing.append(Missing(folder, error.problem))
    if not results:
        told = "\n".join(map(str, missing)) or "Nothing was named: give the folder that `analyze` wrote to."
        raise HistoserveError(f"There is no result to show. {told}")
    return results, missing


def _folders(named: Path) -> list[Path]:
    """What looks like a result; `named` itself if nothing does, so that the reason is told."""
    if not named.is_dir():
        there = "is no folder" if named.exists() else "does not exist"
        raise WrongUsage(f"{printable(named)} {there}; give the folder that `analyze` wrote to (-o), or one in it.")
    try:
        if _is_result(named):
            return [named]
        children = sorted(_inside(named))
        own = [each for each in children if _is_result(each)]
        return own or [each for child in children for each in _readable(child) if _is_result(each)] or [named]
    except OSError as error:
        raise HistoserveError(f"{printable(error.filename or named)} cannot be read: {error.strerror}.") from error


def _inside(folder: Path) -> Iterator[Path]:
    """The result before, kept while a new one is made, is shown if it is named."""
    return (each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(PREVIOUS))


def _readable(folder: Path) -> list[Path]:
    """OUT may be the root of a disk, with folders of the system in it."""
    try:
        return sorted(_inside(folder))
    except OSError:
        return []


def _is_result(folder: Path) -> bool:
    unfinished = folder.name.startswith(UNFINISHED)
    return unfinished or any((folder / name).is_file() for name in (LAST, LAYERS))
