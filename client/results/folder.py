"""The folder of a result, `OUT/<slide>/<pipeline>/`, which is complete or not there.

.unfinished-<pipeline>-…   written to by this run, locked while it lives; of a run that ended too early only the
                           journal stays, and the next run takes it over
<pipeline>                 the result; swapped as a whole, so files of two runs never stand side by side
.previous-<pipeline>       the result before, from the moment that this run begins its work until it is complete
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from histoserve.client.errors import HistoserveError, OutputError
from histoserve.client.results.result_json import read_result
from histoserve.client.results.source import Source

LAST = "result.json"
"""Written last: its presence says that the result is complete."""

JOURNAL = "journal"
"""The answers so far (`client/journal`); gone when the result stands."""

UNFINISHED, PREVIOUS = ".unfinished-", ".previous-"

UMASK = os.umask(0o022)
"""Of this process; a temporary folder would be closed to others, a result is not."""
# It can only be read by setting it, which threads must not do at the same time: once, at the import.
os.umask(UMASK)


class ResultFolder:
    """Files are written aside and take the result's place at the end; leaving the block before `commit` leaves none."""

    def __init__(self, out: Path, source: Source, pipeline: str):
        self._slide_folder = out / source.folder
        self._source = source
        self._pipeline = pipeline
        self._made: list[Path] = []

    @property
    def place(self) -> Path:
        """Where the result is once it is complete."""
        return self._slide_folder / self._pipeline

    @property
    def previous(self) -> Path:
        """Where the result before is until then."""
        return self._slide_folder / f"{PREVIOUS}{self._pipeline}"

    def __enter__(self) -> "ResultFolder":
        """Raises OutputError if it cannot be written to, or holds something else."""
        try:
            self._require_own(self.place)
            self._made = [each for each in (self._slide_folder, *self._slide_folder.parents) if not each.exists()]
            self._slide_folder.mkdir(parents=True, exist_ok=True)
            with self.left_behind() as folders:
                for folder in folders:
                    if not (folder / JOURNAL).exists():
                        _remove(folder)
            self._aside, self._lock = _locked_folder(self._slide_folder, f"{UNFINISHED}{self._pipeline}-")
        except OSError as error:
            self._remove_made()
            raise OutputError(
                f"Nothing can be written to {self._slide_folder}: {error.strerror}. "
                "Give a folder that you may write to with -o."
            ) from error
        return self

    def path(self, name: str) -> Path:
        """Where to write the file `name` for now."""
        return self._aside / name

    def names(self) -> list[str]:
        """Of the files written so far."""
        return sorted(each.name for each in self._aside.iterdir() if each.name != JOURNAL)

    @contextmanager
    def left_behind(self) -> Iterator[list[Path]]:
        """The folders of runs that ended too early; within the block no other run has them."""
        with ExitStack() as locked:
            folders = []
            for folder in sorted(self._slide_folder.glob(f"{UNFINISHED}{self._pipeline}-*")):
                with suppress(OSError):
                    descriptor = locked.enter_context(_opened(folder))
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    folders.append(folder)
            yield folders

    def require_room(self, needed: int) -> None:
        """Raises OutputError if fewer bytes are free."""
        free = shutil.disk_usage(self._slide_folder).free
        if free < needed:
            raise OutputError(
                f"{self._slide_folder} has room for {free / 2**20:.0f} MiB; the result may need "
                f"{needed / 2**20:.0f} MiB. Make room, or give another folder with -o."
            )

    def set_previous_aside(self) -> None:
        """From here on the result before does not look like this run's, should it fail."""
        with _locked(self._slide_folder):
            self._set_previous_aside()

    def commit(self) -> None:
        """Puts the result in its place, and removes the one before; of runs at the same time the last one stays."""
        _sync(self._aside)
        with _locked(self._slide_folder):
            self._set_previous_aside()
            self._aside.rename(self.place)
            self._made = []
            _remove(self.previous)
        # Last: whoever is killed before goes on from it.
        (self.place / JOURNAL).unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        told = []
        if (self._aside / JOURNAL).exists():
            told.append("The same command goes on from what was answered.")
            for name in self.names():
                (self._aside / name).unlink()
        else:
            _remove(self._aside)
        # Not before: the next run takes what is not locked.
        os.close(self._lock)
        self._remove_made()
        if self.previous.is_dir():
            told.append(f"The result before is kept in {self.previous}.")
        if isinstance(error, HistoserveError | KeyboardInterrupt) and told:
            error.args = (" ".join([str(error) or "nothing was written.", *told]),)

    def _set_previous_aside(self) -> None:
        self._require_own(self.place)
        if self.place.is_dir():
            _remove(self.previous)
            self.place.rename(self.previous)

    def _require_own(self, place: Path) -> None:
        """Raises OutputError if anything is there but a result of the same slide."""
        if not os.path.lexists(place) or (place.is_dir() and not any(place.iterdir())):
            return
        advice = "Give another folder with -o, or move it away."
        result = read_result(place / LAST)
        if result is None:
            raise OutputError(f"{place} holds something else than a result of histoserve. {advice}")
        other = self._source.differs_from(result)
        if other:
            raise OutputError(f"{place} holds the result of another slide of that name, {other}. {advice}")
        strangers = sorted({each.name for each in place.iterdir()} - {LAST, *result.get("files", [])})
        strangers = [name for name in strangers if not name.startswith(".")]
        if strangers:
            raise OutputError(
                f"{place} holds {strangers[0]}, which is not of the result and would be lost with it. {advice}"
            )

    def _remove_made(self) -> None:
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                return  # Somebody else put something there.


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """While no other run has it locked."""
    with _opened(folder) as descriptor:
        _lock(descriptor)
        yield


def _lock(descriptor: int) -> None:
    # A network file system may have no locks: then nothing is ever taken for left over.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder, and the descriptor that holds its lock until it is closed, or the process ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        folder.chmod(0o777 & ~UMASK)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        _lock(descriptor)
        if folder.exists():
            return folder, descriptor
        # Another run took it for left over before it was locked.
        os.close(descriptor)


def _sync(folder: Path) -> None:
    """Makes the disk keep its files: a result that stands must stand after a power cut too."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
