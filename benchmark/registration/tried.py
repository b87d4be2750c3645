"""What became of a pair, kept in `tried.jsonl`: a run that was stopped goes on, and other code tries all again."""

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from histoserve.benchmark.registration.landmarks import Pair
from histoserve.client import registration
from histoserve.client.registration.affine import Matrix
from histoserve.client.registration.command import register_files
from histoserve.client.registration.register import NotRegistered
from histoserve.client.registration.written import LAST
from histoserve.client.results.source import source_of


@dataclass(frozen=True)
class Tried:
    """Two slides that `histoserve register` was given."""

    matrix: list[list[float]] | None
    """Level-0 px of the H&E → level-0 px of the IHC; None if it refused."""
    refused: str
    """Why, a sentence."""
    checks: dict[str, float | None]
    """What was measured, by name; none if it was refused before."""
    seconds: float
    """Of one processor."""

    def error(self, pair: Pair) -> float:
        """As `Pair.error`; infinity if it was refused."""
        return pair.error(self._found) if self.matrix else np.inf

    @property
    def _found(self) -> Matrix:
        return np.array(self.matrix, np.float64)


class Journal:
    """Of a folder, which also takes what is registered."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._is_cut_off = self._file.exists() and not self._file.read_bytes().endswith(b"\n")

    def tried(self, he: Path, ihc: Path, mpp: tuple[float, float]) -> Tried:
        """Tried now, unless the same pictures were by the same code. Raises HistoserveError for what is no slide."""
        key = " ".join([self._code, *(source_of(each).content[:16] for each in (he, ihc)), f"{mpp[0]:g} {mpp[1]:g}"])
        if key not in self._known:
            self._known[key] = _tried(he, ihc, mpp, self._folder / f"{he.stem} on {ihc.stem}")
            with self._file.open("a") as file:
                file.write("\n" * self._is_cut_off + json.dumps({"key": key, **asdict(self._known[key])}) + "\n")
            self._is_cut_off = False
        return self._known[key]

    @property
    def _file(self) -> Path:
        return self._folder / "tried.jsonl"

    @cached_property
    def _known(self) -> dict[str, Tried]:
        known = {}
        for line in self._file.read_text("utf-8").splitlines() if self._file.exists() else []:
            # One that was cut off says nothing.
            with suppress(ValueError):
                row = json.loads(line)
                key = row.pop("key")
                known[key] = Tried(**row)
        return known

    @cached_property
    def _code(self) -> str:
        """Of the files that register."""
        digest = hashlib.sha256()
        for file in sorted(Path(registration.__path__[0]).glob("*.py")):
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


def _tried(he: Path, ihc: Path, mpp: tuple[float, float], out: Path) -> Tried:
    begun = time.process_time()
    try:
        found, _ = register_files(he, ihc, out, *mpp)
    except NotRegistered as error:
        return Tried(None, str(error), {each.name: each.value for each in error.checks}, time.process_time() - begun)
    seconds = time.process_time() - begun
    said = json.loads((out / LAST).read_text("utf-8"))["checks"]
    return Tried(found.matrix.tolist(), "", {name: each["value"] for name, each in said.items()}, seconds)
