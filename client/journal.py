"""The answers of a slide in a file, one behind the other as they came: what a run that was stopped goes on from.

    file    record*
    record  length of the body (8 bytes, little-endian), digest (16), body
    body    of the first: what the answers are bound to, as JSON; of the others: length of the head (4), head as JSON,
            the arrays' bytes one behind the other

A digest covers its record and the digest before it, so the first record that was cut off, zeroed or altered ends the
journal: it and what follows is dropped, and what precedes it is whole. A killed process loses what was not answered;
a machine that loses power also loses the answers of the last SYNC_SECONDS.

The arrays are read from the file when they are asked for: a slide's rows need not be in memory.
"""

import json
import mmap
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FORMAT = 2
"""Of this file; another is not gone on with."""

SYNC_SECONDS = 2.0
"""Between two times that the disk is made to keep what was written: each may take some tens of ms."""

DIGEST_BYTES, LENGTH_BYTES, HEAD_BYTES = 16, 8, 4

TAKEN_BACK = "taken_back"
"""In the head of a record without arrays: which of the answers before it hold no more, counted among those that do."""

Bound = Mapping[str, str]
"""What decides the answers, by its name in words."""


class Span(NamedTuple):
    """A part of the file, in bytes."""

    start: int
    end: int


NOTHING = Span(0, 0)


class Answer(Mapping[str, NDArray[Any]]):
    """The outputs of one request, by name; each is read when it is asked for, and takes no memory of its own."""

    __slots__ = ("_body", "_journal")

    def __init__(self, journal: "Journal", body: Span):
        self._journal = journal
        self._body = body

    @property
    def tiles(self) -> list[int]:
        """Indices of the request's tiles."""
        return list(self._head()["tiles"])

    @property
    def network(self) -> int:
        """Identity of what decided the rows."""
        return int(self._head()["network"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        offset, dtype, shape = self._head()["arrays"][name]
        count = int(np.prod(shape, dtype=np.int64))
        start = self._body.start + HEAD_BYTES + self._head_length() + offset
        data = self._journal.view(Span(start, start + count * np.dtype(dtype).itemsize))
        return np.frombuffer(data, dtype).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._head()["arrays"])

    def __len__(self) -> int:
        return len(self._head()["arrays"])

    def _head(self) -> dict[str, Any]:
        return self._journal.head(self._body)

    def _head_length(self) -> int:
        return self._journal.head_length(self._body)


class Journal:
    """Used by one thread at a time; the views that it gave outlive it."""

    def __init__(self, file: int, bound: Bound):
        """`file`: a descriptor, which the journal closes. What is in it and fits is gone on with. Raises OSError."""
        self.answers: list[Answer] = []
        """Those that hold, as they came."""
        self._file = file
        self._bound = _as_json({"format": str(FORMAT), **bound})
        self._map: mmap.mmap | None = None
        self._head: tuple[Span, dict[str, Any]] = NOTHING, {}
        self._synced = time.monotonic()
        self._recent: tuple[Span, bytes] = NOTHING, b""
        """The record's body that was written last."""
        bodies = self._whole_records()
        if bodies and bytes(self.view(bodies[0])) == self._bound:
            self._go_through(bodies[1:])
            os.ftruncate(self._file, self._end)
        else:
            self.restart()

    def restart(self) -> None:
        """Forgets all answers, and whatever else was in the file; views of them must not be used any more."""
        self.answers = []
        self._map = None
        self._forget()
        self._end, self._digest = 0, b""
        os.ftruncate(self._file, 0)
        self._write(self._bound)
        os.fsync(self._file)

    def append(self, tiles: Sequence[int], network: int, outputs: Mapping[str, NDArray[Any]]) -> Answer:
        """Keeps the outputs of one request; raises OSError, such as for a full disk, and then keeps nothing of it."""
        arrays, data, offset = {}, [], 0
        for name, array in outputs.items():
            arrays[name] = (offset, array.dtype.str, array.shape)
            data.append(np.ascontiguousarray(array).tobytes())
            offset += array.nbytes
        head = _as_json({"tiles": list(tiles), "network": network, "arrays": arrays})
        self._before = self._end, self._digest
        answer = Answer(self, self._write(b"".join([len(head).to_bytes(HEAD_BYTES, "little"), head, *data])))
        self.answers.append(answer)
        if time.monotonic() > self._synced + SYNC_SECONDS:
            os.fdatasync(self._file)
            self._synced = time.monotonic()
        return answer

    def take_back(self, answers: Sequence[int]) -> None:
        """Forgets those with these numbers in `answers`, whose bytes stay; raises OSError, and then forgets none."""
        head = _as_json({TAKEN_BACK: list(answers)})
        self._write(len(head).to_bytes(HEAD_BYTES, "little") + head)
        self._forget_answers(answers)

    @property
    def empty(self) -> bool:
        """Nothing was answered so far."""
        return self._end <= LENGTH_BYTES + DIGEST_BYTES + len(self._bound)

    def drop_last(self) -> None:
        """Forgets what was appended last."""
        self.answers.pop()
        self._end, self._digest = self._before
        self._forget()
        os.ftruncate(self._file, self._end)

    def view(self, part: Span) -> memoryview:
        """Of the file; empty for a part of no length."""
        if part.start == part.end:
            return memoryview(b"")
        span, body = self._recent
        if span.start <= part.start and part.end <= span.end:
            # The file grows with every record: mapping it for each would make as many maps as are still looked at.
            return memoryview(body)[part.start - span.start : part.end - span.start]
        if self._map is None or len(self._map) < part.end:
            self._map = mmap.mmap(self._file, 0, access=mmap.ACCESS_READ)
        return memoryview(self._map)[part.start : part.end]

    def head(self, body: Span) -> dict[str, Any]:
        """Of an answer; the last one is remembered, since its arrays are mostly asked for together."""
        if self._head[0] != body:
            start = body.start + HEAD_BYTES
            text = bytes(self.view(Span(start, start + self.head_length(body))))
            self._head = body, json.loads(text)
        return self._head[1]

    def head_length(self, body: Span) -> int:
        """In bytes."""
        return int.from_bytes(self.view(Span(body.start, body.start + HEAD_BYTES)), "little")

    def close(self) -> None:
        """Lets go of the file, not of what is in it."""
        os.close(self._file)

    def _go_through(self, bodies: list[Span]) -> None:
        for body in bodies:
            taken_back = self.head(body).get(TAKEN_BACK)
            if taken_back is None:
                self.answers.append(Answer(self, body))
            else:
                self._forget_answers(taken_back)

    def _forget_answers(self, numbers: Sequence[int]) -> None:
        gone = set(numbers)
        self.answers = [each for number, each in enumerate(self.answers) if number not in gone]

    def _forget(self) -> None:
        self._recent, self._head = (NOTHING, b""), (NOTHING, {})

    def _write(self, body: bytes) -> Span:
        digest = _digest(self._digest, body)
        record = memoryview(b"".join([len(body).to_bytes(LENGTH_BYTES, "little"), digest, body]))
        written = 0
        try:
            while written < len(record):
                written += os.pwrite(self._file, record[written:], self._end + written)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end, self._digest = self._end + len(record), digest
        span = Span(self._end - len(body), self._end)
        self._recent = span, body
        return span

    def _whole_records(self) -> list[Span]:
        """The bodies up to the first that is not as it was written; the journal ends there."""
        bodies, size = [], os.fstat(self._file).st_size
        self._end, self._digest = 0, b""
        while (start := self._end + LENGTH_BYTES + DIGEST_BYTES) <= size:
            length = int.from_bytes(self.view(Span(self._end, self._end + LENGTH_BYTES)), "little")
            if start + length > size:
                break
            digest = _digest(self._digest, self.view(Span(start, start + length)))
            if digest != self.view(Span(start - DIGEST_BYTES, start)):
                break
            bodies.append(Span(start, start + length))
            self._end, self._digest = start + length, digest
        return bodies


def open_journal(path: Path, bound: Bound) -> Journal:
    """The journal at `path`, which is made if it is not there; raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        return Journal(file, bound)
    except OSError:
        empty = os.fstat(file).st_size == 0
        os.close(file)
        if empty:
            path.unlink()
        raise


def passing_journal() -> Journal:
    """One that nobody can go on from: it is gone with the process."""
    with tempfile.TemporaryFile() as file:
        return Journal(os.dup(file.fileno()), {})


def bound_of(path: Path) -> Bound | None:
    """What the answers of the journal at `path` are bound to; None for what is no journal of this format."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            digest, body = file.read(DIGEST_BYTES), file.read(min(length, path.stat().st_size))
        bound = json.loads(body)
    except (OSError, ValueError):
        return None
    if digest != _digest(b"", body) or bound.pop("format", None) != str(FORMAT):
        return None
    return dict(bound)


def _digest(before: bytes, body: "bytes | memoryview") -> bytes:
    digest = blake2b(before, digest_size=DIGEST_BYTES)
    digest.update(body)
    return digest.digest()


def _as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
