"""How far a call is, on a terminal or in a log.

On a terminal a line for each analysis under way and one over all, gone when the work is done; elsewhere a plain line
each time a tenth more is done. A slide's share of the whole is that of its file: its tiles are known only once it is
read.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from histoserve.client.analyze import Watcher
from histoserve.client.results.summary import Row
from histoserve.client.slide import printable

STEPS = 1000
"""Of the line over all."""

ESTIMATE_S = 600.0
"""So far back the speed is looked at for the time that remains: slides differ."""


class View(Protocol):
    """Where it is shown; called under a lock."""

    def begin(self, name: str) -> Watcher:
        """An analysis is under way."""

    def end(self, watcher: Watcher) -> None:
        """It is no more."""

    def whole(self, part: float, done: int, of: int) -> None:
        """So much of all is done, and so many of the analyses."""

    def stop(self) -> None:
        """Nothing more is shown."""


class Board:
    """Shows a call of `slides` through `pipelines` on `console`; fits `call.Board`."""

    def __init__(self, slides: Sequence[Path], pipelines: Sequence[str], console: Console, quiet: bool = False):
        self._several = len(slides) * len(pipelines) > 1
        self._name_pipeline = len(pipelines) > 1
        self._console = console
        sizes = {slide: _size(slide) for slide in slides}
        self._share = {slide: size / sum(sizes.values()) / len(pipelines) for slide, size in sizes.items()}
        self._parts = {(slide, pipeline): 0.0 for slide in slides for pipeline in pipelines}
        self._done = 0
        self._lock = threading.Lock()
        self._view: View = Quiet() if quiet else Bars(console, self._several) if console.is_terminal else Lines(console)

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is said afterwards stands below nothing.
        self._view.stop()

    @contextmanager
    def watcher(self, slide: Path, pipeline: str) -> Iterator[Watcher]:
        """As call.Board.watcher."""
        name = printable(slide.name)
        with self._lock:
            shown = self._view.begin(f"{name}, {pipeline}" if self._name_pipeline else name)
        try:
            yield _Watcher(self, slide, pipeline, shown)
        finally:
            with self._lock:
                self._view.end(shown)

    def finished(self, slide: Path, row: Row) -> None:
        """As call.Board.finished."""
        if row.remark:
            self.tell(slide, row.pipeline, row.remark)
        with self._lock:
            self._done += 1
        self.advance(slide, row.pipeline, 1.0)

    def tell(self, slide: Path, pipeline: str, text: str) -> None:
        """What the user should know at once of one analysis."""
        self.complain(f"{printable(slide.name)}, {pipeline}: {text}" if self._several else text)

    def complain(self, text: str) -> None:
        """As call.Board.complain."""
        self._console.print(f"histoserve: {text}")

    def advance(self, slide: Path, pipeline: str, part: float) -> None:
        """So much more of an analysis is done."""
        with self._lock:
            self._parts[slide, pipeline] = min(1.0, self._parts[slide, pipeline] + part)
            whole = sum(self._share[each] * part for (each, _), part in self._parts.items())
            self._view.whole(whole, self._done, len(self._parts))


class _Watcher:
    """Of one analysis; also tells the board."""

    def __init__(self, board: Board, slide: Path, pipeline: str, shown: Watcher):
        self._board, self._slide, self._pipeline = board, slide, pipeline
        self._shown = shown
        self._tiles = 0

    def phase(self, text: str) -> None:
        self._shown.phase(text)

    def planned(self, tiles: int) -> None:
        self._tiles = tiles
        self._shown.planned(tiles)

    def done(self, tiles: int) -> None:
        self._shown.done(tiles)
        self._board.advance(self._slide, self._pipeline, tiles / max(1, self._tiles))

    def say(self, text: str) -> None:
        self._board.tell(self._slide, self._pipeline, text)


class Quiet:
    """Shows nothing."""

    def begin(self, name: str) -> Watcher:
        return self

    def end(self, watcher: Watcher) -> None: ...

    def whole(self, part: float, done: int, of: int) -> None: ...

    def stop(self) -> None: ...

    def phase(self, text: str) -> None: ...

    def planned(self, tiles: int) -> None: ...

    def done(self, tiles: int) -> None: ...

    def say(self, text: str) -> None: ...


class Lines(Quiet):
    """A plain line each tenth."""

    def __init__(self, console: Console):
        self._console = console
        self._began: float | None = None
        self._tenths = 0

    def begin(self, name: str) -> Watcher:
        # The start of a server says nothing of the time that remains.
        self._began = self._began or time.monotonic()
        return super().begin(name)

    def whole(self, part: float, done: int, of: int) -> None:
        # The last tenth is done when all is, the smallest damaged file included.
        tenths = 10 if done == of else min(9, int(10 * part))
        if tenths <= self._tenths:
            return
        self._tenths = tenths
        count = f", {done} of {of} done" if of > 1 else ""
        rest = ""
        if self._began is not None and done < of:
            rest = f", about {_clock((time.monotonic() - self._began) * (1 - part) / part)} left"
        self._console.print(f"histoserve: {10 * tenths} %{count}{rest}")


class Bars:
    """A line for each analysis under way, and one over all if there are several."""

    def __init__(self, console: Console, several: bool):
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Count(),
            _Rate(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True, speed_estimate_period=ESTIMATE_S)
        self._whole = self._progress.add_task("starting", total=STEPS if several else None, whole=True)
        self._several = several
        self._progress.start()

    def begin(self, name: str) -> Watcher:
        if not self._several:
            self._progress.update(self._whole, visible=False)
        return _Bar(self._progress, name)

    def end(self, watcher: Watcher) -> None:
        if isinstance(watcher, _Bar):
            self._progress.remove_task(watcher.task)

    def whole(self, part: float, done: int, of: int) -> None:
        if self._several:
            self._progress.update(self._whole, completed=part * STEPS, description=f"{done} of {of} done")

    def stop(self) -> None:
        self._progress.stop()


class _Bar:
    def __init__(self, progress: Progress, name: str):
        self._progress, self._name = progress, name
        self.task = progress.add_task(name, total=None, whole=False)

    def phase(self, text: str) -> None:
        self._progress.update(self.task, description=f"{self._name}: {text}")

    def planned(self, tiles: int) -> None:
        self._progress.reset(self.task, total=tiles)

    def done(self, tiles: int) -> None:
        self._progress.advance(self.task, tiles)

    def say(self, text: str) -> None:
        """The board says it."""


class _Count(MofNCompleteColumn):
    """Tiles; the line over all has none."""

    def render(self, task: Task) -> Text:
        return Text() if task.fields["whole"] else super().render(task)


class _Rate(ProgressColumn):
    """Tiles per second, since they began."""

    def render(self, task: Task) -> Text:
        if task.fields["whole"] or not task.completed or not task.elapsed:
            return Text()
        return Text(f"{task.completed / task.elapsed:.1f} tiles/s")


def _size(slide: Path) -> int:
    try:
        return max(1, slide.stat().st_size)
    except OSError:
        return 1


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
