"""The folder of a result, which is complete or not there."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from histoserve.client.errors import OutputError

LAST = "result.json"
"""Its presence says that the result is complete."""


class ResultFolder:
    """Files are written aside and moved into `out` at the end; leaving the block before `commit` leaves nothing."""

    def __init__(self, out: Path):
        self._out = out
        self._made: list[Path] = []

    def __enter__(self) -> "ResultFolder":
        """Raises OutputError if `out` cannot be written to."""
        try:
            self._made = [each for each in (self._out, *self._out.parents) if not each.exists()]
            self._out.mkdir(parents=True, exist_ok=True)
            # Inside `out`, so that moving needs no copying and is one step.
            self._aside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self._out))
        except OSError as error:
            raise OutputError(
                f"Nothing can be written to {self._out}: {error.strerror}. Give a folder that you may write to with -o."
            ) from error
        return self

    def path(self, name: str) -> Path:
        """Where to write the file `name` for now."""
        return self._aside / name

    def commit(self) -> None:
        """Replaces the result that was in `out`."""
        (self._out / LAST).unlink(missing_ok=True)
        for path in sorted(self._aside.iterdir(), key=lambda each: (each.name == LAST, each.name)):
            path.replace(self._out / path.name)
        self._made = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._aside, ignore_errors=True)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                return  # Somebody else put something there.
