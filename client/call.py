"""Many slides through several pipelines, in one call.

slides ─▶ a few at a time ─▶ each: survey once, then pipeline after pipeline ⇢ one connection ⇢ rows of the summary

Tiles of the slides that are under way share the servers' batches, and no result depends on it. What goes wrong with one
slide is its row; what goes wrong with the call (wrong usage, no server from the start, a full disk, Ctrl-C) ends it.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from histoserve.client.already import Already
from histoserve.client.analyze import Order, Report, Watcher, analyze, look_once
from histoserve.client.connect import Connection, Wire
from histoserve.client.errors import (
    HistoserveError,
    NoAnswer,
    OutputError,
    ServerError,
    SlideError,
    Stopped,
    Unavailable,
    WrongUsage,
)
from histoserve.client.pipelines import needs_scale, rows_of
from histoserve.client.preparation import AS_IT_IS, Preparation
from histoserve.client.resolution import resolve
from histoserve.client.results.folder import LAST, ResultFolder
from histoserve.client.results.source import source_of
from histoserve.client.results.summary import GOOD, SUMMARY, Row, State, write_summary
from histoserve.client.slide import Slide, open_slide, printable
from histoserve.client.survey import Survey

COMPLETE, FAILED, PARTS_MISSING = 0, 1, 3
"""Exit codes."""


@dataclass(frozen=True)
class Call:
    """What one call is to do."""

    slides: Sequence[Path]
    pipelines: Sequence[str]
    order: Order
    """Of every slide and pipeline, but for these two."""
    at_once: int
    """Slides under way at a time."""
    again: bool = False
    """Also what is there already."""
    preparations: Mapping[str, Preparation] = field(default_factory=dict)
    """Of the pipelines whose pictures are prepared."""
    summary: str | None = None
    """Name of the file of its rows, where other calls write theirs beside it."""

    def orders(self, slide: Path) -> list[Order]:
        """One a pipeline."""
        return [
            replace(self.order, slide=slide, pipeline=each, preparation=self.preparations.get(each, AS_IT_IS))
            for each in self.pipelines
        ]


class Board(Protocol):
    """Is told how far a call is; by several threads."""

    def watcher(self, slide: Path, pipeline: str) -> AbstractContextManager[Watcher]:
        """Who watches one analysis while it is under way."""

    def finished(self, slide: Path, row: Row) -> None:
        """One more is done."""

    def complain(self, text: str) -> None:
        """Something the user should know at once."""


def run(call: Call, connect: Callable[[], AbstractContextManager[Connection]], board: Board) -> list[Row]:
    """The rows of the summary, in the order of the slides, then of the pipelines.

    Raises what ends the whole call; KeyboardInterrupt says how far it came.
    """
    for pipeline in call.pipelines:
        rows_of(pipeline)
    orders = (order for slide in call.slides for order in call.orders(slide))
    # Without a slide to analyse no server is started; the reasons come with the rows.
    with connect() if any(map(_can_begin, orders)) else nullcontext() as connection:
        return _Run(call, connection, board).run()


def exit_code(rows: Sequence[Row]) -> int:
    """COMPLETE, PARTS_MISSING, or FAILED where nothing could be analysed."""
    if all(row.state in ("complete", "already there") for row in rows):
        return COMPLETE
    return PARTS_MISSING if any(row.state in GOOD for row in rows) else FAILED


def _can_begin(order: Order) -> bool:
    """Whether slide and folder are as they should be. Raises WrongUsage."""
    try:
        with open_slide(order.slide) as slide:
            resolve(slide.name, order.mpp, slide.stated_mpp, slide.objective_power, needs_scale(order.pipeline))
        with ResultFolder(order.out, source_of(order.slide), order.pipeline):
            return True
    except (SlideError, OutputError):
        return False


class _Run:
    """One call under way; a thread a slide."""

    def __init__(self, call: Call, connection: Connection | None, board: Board):
        self._call = call
        self._connection = connection
        self._board = board
        self._in_flight = threading.Semaphore(call.order.in_flight)
        self._stopped = threading.Event()
        self._lost: HistoserveError | None = None
        """Why no server is asked any more."""
        self._lock = threading.Lock()
        self._rows = {
            (slide, pipeline): Row(printable(slide.name), pipeline)
            for slide in call.slides
            for pipeline in call.pipelines
        }

    def run(self) -> list[Row]:
        if self._connection:
            with self._share() as wire:
                for pipeline in self._call.pipelines:
                    wire.contract(pipeline)
                self._already = Already(wire)
        self._summarise()
        pool = ThreadPoolExecutor(self._call.at_once, "slide")
        try:
            under_way = {pool.submit(self._slide, slide) for slide in self._call.slides}
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in done:
                    each.result()
        except BaseException as error:
            self._stopped.set()
            if self._connection:
                self._connection.stop()
            # A second Ctrl-C ends the wait: what is said next is true all the same.
            with suppress(KeyboardInterrupt):
                pool.shutdown(cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(self._how_far()) from error
            raise
        pool.shutdown()
        return list(self._rows.values())

    def _slide(self, slide: Path) -> None:
        survey = _OneSurvey()
        for order in self._call.orders(slide):
            if self._stopped.is_set():
                return
            row = self._row(order, survey)
            with self._lock:
                self._rows[slide, order.pipeline] = row
                self._summarise()
            if row.state != "not finished":
                self._board.finished(slide, row)

    def _row(self, order: Order, survey: "_OneSurvey") -> Row:
        begun, row = time.monotonic(), self._rows[order.slide, order.pipeline]
        try:
            if self._lost:
                raise self._lost
            report = self._connection and not self._call.again and self._already.report(order)
            state: State = "already there" if report else "complete"
            report = report or self._analyze(order, survey)
        except Stopped as error:
            return replace(row, remark=str(error))
        except WrongUsage:
            raise
        except HistoserveError as error:
            if isinstance(error, NoAnswer | Unavailable):
                self._lost = ServerError(f"Not tried any more, since servers did not answer: {error}")
            return replace(row, state="failed", remark=str(error))
        except Exception as error:
            self._board.complain(traceback.format_exc())
            return replace(
                row, state="failed", remark=f"An error of histoserve itself: {type(error).__name__}: {error}"
            )
        tiles = "1 tile" if report.failed == 1 else f"{report.failed} tiles"
        remark = f"{tiles} could not be analysed, see {report.folder / LAST}." if report.failed else ""
        return replace(
            row,
            state="tiles missing" if report.failed else state,
            result=report.words,
            seconds=time.monotonic() - begun,
            folder=printable(report.folder),
            remark=remark,
        )

    def _analyze(self, order: Order, survey: "_OneSurvey") -> Report:
        with self._board.watcher(order.slide, order.pipeline) as watcher:
            report = analyze(order, self._share, _Stoppable(watcher, self._stopped), survey.look)
        for warning in report.warnings:
            self._board.complain(f"{printable(order.slide.name)}: {warning}" if len(self._rows) > 1 else warning)
        return report

    @contextmanager
    def _share(self) -> Iterator[Wire]:
        if self._connection is None:
            raise ServerError("No slide could be analysed when the call began, so no server was started: run it again.")
        yield self._connection.share(self._in_flight)

    def _summarise(self) -> None:
        """After each row, so that whatever ends this process leaves one that tells how far it came."""
        if self._call.summary or len(self._rows) > 1:
            write_summary(self._call.order.out, self._rows.values(), self._call.summary or SUMMARY)

    def _how_far(self) -> str:
        rows = list(self._rows.values())
        done = sum(row.state in GOOD for row in rows)
        kept = [row.remark for row in rows if row.state == "not finished" and "kept" in row.remark]
        goes_on = "The same command goes on with what is not complete."
        return " ".join([f"{done} of {len(rows)} results are complete.", goes_on, *kept])


class _OneSurvey:
    """Of one slide, made for the first pipeline and used by all: fits `Look`."""

    def __init__(self) -> None:
        self._survey: Survey | None = None
        self._of: tuple[int, ...] = ()
        self._read_elsewhere: dict[int, int] = {}

    def look(self, slide: Slide, mpp: float, progress: Callable[[str], None]) -> Survey:
        """The slide was opened anew for each pipeline: what was met at the survey is noted in each."""
        try:
            found = slide.path.stat()
        except OSError as error:
            raise SlideError(f"{slide.name} was there and is no more: {error.strerror}.") from error
        # A file that was replaced in between is another slide.
        file = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if self._survey is None or self._of != file:
            self._survey, self._of = look_once(slide, mpp, progress), file
            self._read_elsewhere = dict(slide.read_elsewhere)
        slide.read_elsewhere.update(self._read_elsewhere)
        return self._survey


class _Stoppable:
    """A watcher that ends the analysis it watches once the call was stopped, also where no server is asked."""

    def __init__(self, watcher: Watcher, stopped: threading.Event):
        self._watcher = watcher
        self._stopped = stopped

    def phase(self, text: str) -> None:
        self._check()
        self._watcher.phase(text)

    def planned(self, tiles: int) -> None:
        self._check()
        self._watcher.planned(tiles)

    def done(self, tiles: int) -> None:
        self._check()
        self._watcher.done(tiles)

    def say(self, text: str) -> None:
        self._watcher.say(text)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped("The run was stopped.")
