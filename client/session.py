"""The loop of an analysis without a slide's file: pictures come in any order, rows are kept, a result comes out.

    push(picture) ─▶ stream ⇢ `<pipeline>_tiles` ⇢ rows ─▶ `<pipeline>_slide` ─▶ partial() at any time, finish()

For software that has no file yet, such as a scanner's that sends while it scans:

    with connect(["localhost:8001"], ["nuclei"], deadline=60) as wire:
        work = work_for(wire.contract("nuclei"), mpp=0.25, l0_size=(80_000, 60_000))
        with Session(wire, work) as session:
            for tile in work.tiles:  # in whatever order they are scanned
                session.push(Picture(tile, jpeg_of(tile.region)))
            result = session.finish()
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from histoserve.client.errors import Internal, Lost, OutputError, Refused, ServerError
from histoserve.client.grid import PlannedTile, Rectangle
from histoserve.client.journal import Answer, Journal, passing_journal
from histoserve.client.listed import by_index
from histoserve.client.network import OneNetwork, OtherNetwork
from histoserve.client.pipelines import Placed, looks_back, rows_of
from histoserve.client.stream import DEADLY_TILES, FailedTile, Steps, Stream
from histoserve.client.travel.block import Block, Picture, block_of
from histoserve.client.wire import Arrays, Outputs
from histoserve.client.work import Work


class Asked(Protocol):
    """What a session needs of its servers; `connect` gives it."""

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """Raises Refused, Internal, Lost, or what must end the session."""

    def stop(self) -> None:
        """Makes every `infer` end at once."""


class SessionWatcher(Protocol):
    """Is told what goes on, by any thread."""

    def done(self, tiles: int) -> None:
        """How many more tiles are done; fewer than none if some must be done again."""

    def say(self, text: str) -> None:
        """A sentence that the user should read."""


class Nobody:
    """A watcher that does not care."""

    def done(self, tiles: int) -> None:
        """As SessionWatcher.done."""

    def say(self, text: str) -> None:
        """As SessionWatcher.say."""


NOBODY = Nobody()


class Session:
    """One slide; the result does not depend on the order of the tiles, on repeats, or on how they met in requests.

    Leaving the block stops what is in flight. One thread pushes at a time; the rest may be called by any.
    """

    def __init__(self, wire: Asked, work: Work, journal: Journal | None = None, watcher: SessionWatcher = NOBODY):
        """Goes on from the answers in `journal`, which the caller closes; without one, what was answered is kept in a
        temporary file.
        """
        self.work = work
        self._wire = wire
        self._watcher = watcher
        self._journal = journal or passing_journal()
        self._pipeline = work.contract.pipeline
        self._model = f"{self._pipeline}_tiles"
        self._tiles = by_index(work.tiles)
        self._lock = threading.Lock()
        self._under_way: set[int] = set()
        self._failed: dict[int, FailedTile] = {}
        self._confirmed = 0
        self._begin()
        self._go_on()
        self._stream = Stream(Steps(self._ask, self._take, self.fail, wire.stop), work.width)

    @property
    def network(self) -> int | None:
        """Identity of what decided the rows; None before the first answer."""
        return self._network.identity

    @property
    def sent(self) -> int:
        """Tiles that a server decided on, in this session."""
        return self._stream.outcome.sent + self._confirmed

    @property
    def idle(self) -> bool:
        """Whether nothing that was pushed waits for an answer."""
        return not self._under_way

    @property
    def resumed(self) -> int:
        """Tiles whose answers were found in the journal."""
        return self._resumed

    @property
    def answered(self) -> Sequence[PlannedTile]:
        """By index."""
        with self._lock:
            return self._tiles.at(np.flatnonzero(self._answered))

    @property
    def failed(self) -> list[FailedTile]:
        """Tiles that could not be read or analysed, by index; they may be pushed again."""
        with self._lock:
            return [self._failed[index] for index in sorted(self._failed)]

    def missing(self) -> Sequence[PlannedTile]:
        """Tiles that were not pushed so far, and did not fail.

        If an earlier session answered all, one of them, so that a server can say whether it is still the same network.
        """
        with self._lock:
            known = self._answered.copy()
            known[[self._place(index) for index in (*self._under_way, *self._failed)]] = True
            if self._doubtful and known.all():
                known[self._answered.argmax()] = False
            return self._tiles.at(np.flatnonzero(~known))

    def push(self, picture: Picture) -> None:
        """Sends it sooner or later; a repeat of what is under way or answered changes nothing.

        Waits while the servers have all the requests that they may. Raises ValueError for a tile that is not of the
        work, and what ended the session: OutputError for a full disk, ServerError for a server that no longer answers.
        """
        self.push_block(block_of([picture]))

    def push_block(self, block: Block) -> None:
        """As `push`, of several tiles, and pictures that they may share."""
        for tile in block.tiles:
            place = self._tiles.position(tile.index)
            if place is None or self._tiles[place] != tile:
                raise ValueError(f"{tile} is no tile of this session")
        settled = self._settled(block) if self._doubtful else set()
        with self._lock:
            new = [tile for tile in block.tiles if not (tile.index in settled or self._is_done_with(tile.index))]
            self._under_way.update(tile.index for tile in new)
            again = sum(self._failed.pop(tile.index, None) is not None for tile in new)
        if again:
            self._watcher.done(-again)
        if new:
            self._stream.push(block if len(new) == len(block.tiles) else block.only(new))

    def fail(self, failed: FailedTile) -> None:
        """Notes a tile that cannot be had; one that was answered in this session stays so."""
        index = failed.tile.index
        with self._lock:
            if self._doubtful and self._is_answered(index):
                self.begin_anew(f"a tile that was read can no longer be had ({failed.reason})")
            self._under_way.discard(index)
            if self._is_answered(index):
                return
            known = index in self._failed
            self._failed[index] = failed
        if not known:
            self._watcher.done(1)

    def partial(self, mm2: Callable[[Rectangle], float] | None = None) -> dict[str, Any]:
        """The result of what was answered so far, as `result` in `result.json`; pushing may go on during it.

        `mm2`: tissue in a tile's core (level-0 px); without it all of it is tissue.
        """
        with self._lock, believing(f"{self._pipeline}_slide"):
            self.rows.finish(self._network.telling(self._wire.infer))
            answered = self._tiles.at(np.flatnonzero(self._answered))
        with believing(self._pipeline):
            return self.rows.result(sum((mm2 or self._whole)(tile.core) for tile in answered))

    def finish(self, mm2: Callable[[Rectangle], float] | None = None) -> dict[str, Any]:
        """As `partial`, of all that was pushed; tiles that never came have no share in it."""
        self.drain()
        return self.partial(mm2)

    def take_back(self, tiles: Sequence[PlannedTile]) -> list[PlannedTile]:
        """Forgets what was answered of these, as if they had not been pushed: they show something else now.

        → all that must be pushed anew: they, what shared a request with them, and where a request depends on the rows
        so far what was asked later. Waits for what is in flight.
        """
        self.drain()
        changed = {tile.index for tile in tiles}
        with self._lock:
            answers = self._journal.answers
            gone = [number for number, each in enumerate(answers) if not changed.isdisjoint(each.tiles)]
            if gone and looks_back(self._pipeline):
                gone = list(range(gone[0], len(answers)))
            forgotten = {index for number in gone for index in answers[number].tiles} | changed & self._failed.keys()
            self._keep_back(gone)
            for index in forgotten:
                self._failed.pop(index, None)
        self._watcher.done(-len(forgotten))
        return [self._tiles[self._place(index)] for index in sorted(forgotten)]

    def drain(self) -> None:
        """Waits until all that was pushed is answered or failed."""
        self._stream.drain()

    def begin_anew(self, why: str) -> None:
        """Forgets what the journal held; before anything is pushed."""
        self._watcher.say(f"What an earlier run was answered is not gone on with: {why}.")
        done = int(self._answered.sum())
        self._begin()
        self._journal.restart()
        self._watcher.done(-done)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)

    def _place(self, index: int) -> int:
        """Of a tile of this session; raises LookupError for the index of another."""
        place = self._tiles.position(index)
        if place is None:
            raise LookupError(f"no tile has the index {index}")
        return place

    def _is_done_with(self, index: int) -> bool:
        return index in self._under_way or self._is_answered(index)

    def _is_answered(self, index: int) -> bool:
        return bool(self._answered[self._place(index)])

    def _whole(self, core: Rectangle) -> float:
        return core[2] * core[3] * (self.work.mpp / 1000) ** 2

    def _begin(self) -> None:
        """Without any answer."""
        with believing(self._pipeline):
            self.rows = rows_of(self._pipeline)(self.work.contract, self.work.mpp)
            if isinstance(self.rows, Placed):
                self.rows.place(self.work.frame)
        self._network = OneNetwork(self._pipeline)
        self._answered = np.zeros(len(self._tiles), np.bool_)
        self._resumed = 0
        self._doubtful = False
        """Nothing but the journal says which network it is."""

    def _go_on(self) -> None:
        """From what the journal holds."""
        try:
            self._take_all()
        except ServerError as error:
            self.begin_anew(f"its journal does not fit ({error})")
        self._resumed = int(self._answered.sum())
        self._doubtful = self._resumed > 0

    def _take_all(self) -> None:
        with believing(self._model):
            for answer in self._journal.answers:
                self._network.identity = answer.network
                places = list(map(self._place, answer.tiles))
                self.rows.take([self._tiles[place] for place in places], answer)
                self._answered[places] = True

    def _keep_back(self, gone: list[int]) -> None:
        """All answers but these, by their numbers in the journal."""
        if not gone:
            return
        with self._keeping():
            self._journal.take_back(gone)
        resumed, doubtful = self._resumed, self._doubtful
        self._begin()
        self._take_all()
        self._resumed, self._doubtful = resumed, doubtful

    def _settled(self, block: Block) -> set[int]:
        """Which of its tiles are done with, one or the other having told whether the network is the journal's."""
        settled = set()
        for single in block.singles():
            if not self._doubtful:
                break
            if self._confirm(single):
                settled.add(single.tiles[0].index)
        return settled

    def _confirm(self, single: Block) -> bool:
        """Asks for this tile alone whether the network is that of the journal; True if the tile is done with.

        Before that nothing else is asked: a request may depend on the rows so far.
        """
        tile = single.tiles[0]
        try:
            outputs = self._ask(single)
        except (Refused, Internal, Lost) as error:
            if self._is_answered(tile.index):
                raise
            self.fail(FailedTile(tile, str(error), "server", isinstance(error, Lost)))
            if self._confirmed >= DEADLY_TILES:
                raise
            return True
        finally:
            self._confirmed += 1
        with self._lock:
            try:
                self._network.check(1, outputs)
            except OtherNetwork:
                self.begin_anew("the servers have another network now")
                return False
            self._doubtful = False
        if not self._is_answered(tile.index):
            self._take([tile], outputs)
        return True

    def _ask(self, block: Block) -> Outputs:
        inputs = {**block.inputs(self.work.mpp), **self.rows.more_inputs(block.tiles)}
        return _finite(self._model, self._wire.infer(self._model, inputs))

    def _take(self, tiles: Sequence[PlannedTile], outputs: Outputs) -> None:
        indices = [tile.index for tile in tiles]
        with self._lock, believing(self._model):
            rows = self._network.check(len(tiles), outputs)
            answer = self._kept(indices, rows)
            try:
                self.rows.take(tiles, answer)
            except BaseException:
                self._journal.drop_last()
                raise
            self._answered[list(map(self._place, indices))] = True
            self._under_way.difference_update(indices)
        self._watcher.done(len(tiles))

    def _kept(self, indices: list[int], rows: Outputs) -> Answer:
        with self._keeping():
            return self._journal.append(indices, self._network.identity or 0, rows)

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"What was answered cannot be kept: {error.strerror}. Make room, or give another folder with -o."
            ) from error


def _finite(model: str, outputs: Outputs) -> Outputs:
    """Raises Refused for rows with NaN or infinity, so that only their tile is lost."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused(f"{model} answered {name} that is not finite")
    return outputs


@contextmanager
def believing(model: str) -> Iterator[None]:
    """Whatever an answer that is no answer of this pipeline leads to is the server's fault."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise ServerError(
            f"{model} answered something that does not fit ({type(error).__name__}: {error}). "
            "Serve a model repository of this version."
        ) from error
