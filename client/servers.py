"""One or several equal servers: who is asked, and what happens when one does not answer.

Unavailable ─▶ again, elsewhere if there is an elsewhere, until the deadline
Internal    ─▶ again, INTERNAL_TRIES times in all: the death of a stage's process takes innocent requests along
Refused     ─▶ at once to the caller: the same request would be refused again
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from histoserve.client.contract import Contract
from histoserve.client.errors import Internal, ServerError, Stopped, Unavailable
from histoserve.client.wire import Arrays, Outputs

INTERNAL_TRIES = 4
"""A request that fails so often is at fault itself."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between tries, doubled each time."""

REST_SECONDS = 5.0
"""A server that did not answer is asked last for so long."""


class OneServer(Protocol):
    """What `wire.Server` is."""

    address: str

    def version(self) -> str:
        """Of Triton."""

    def contract(self, pipeline: str) -> Contract:
        """What it wants of its client."""

    def infer(self, model: str, arrays: Arrays, timeout: float) -> Outputs:
        """One try."""

    def close(self) -> None:
        """Cancels what is in flight."""


@dataclass
class _Load:
    server: OneServer
    in_flight: int = 0
    rests_until: float = -1.0


class Servers:
    """Asks the server with the fewest requests in flight; used by several threads."""

    def __init__(self, servers: Sequence[OneServer], deadline: float, clock: Callable[[], float] = time.monotonic):
        """`deadline`: seconds that one request may stay unanswered, all tries together."""
        self._loads = [_Load(server) for server in servers]
        self._deadline = deadline
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Cancels what is in flight and ends all waiting."""
        self._stopped.set()
        for load in self._loads:
            load.server.close()

    def versions(self) -> list[str]:
        """Of Triton on the servers, each once."""
        return sorted({load.server.version() for load in self._loads})

    def contract(self, pipeline: str) -> Contract:
        """The one that all servers agree on; raises ServerError if they differ."""
        first, *others = (load.server for load in self._loads)
        contract = first.contract(pipeline)
        for other in others:
            difference = _difference(contract, other.contract(pipeline))
            if difference:
                raise ServerError(
                    f"The servers {first.address} and {other.address} differ in {difference} of the pipeline "
                    f"{pipeline}; a result must come from one. Serve the same model repository from both."
                )
        return contract

    def infer(self, model: str, arrays: Arrays) -> Outputs:
        """Raises Refused, Internal, Unavailable (past the deadline) or Stopped."""
        end, pause, internal = self._clock() + self._deadline, FIRST_PAUSE, 0
        while not self._stopped.is_set():
            try:
                return self._try(model, arrays, end)
            except Internal as error:
                internal += 1
                if internal == INTERNAL_TRIES:
                    raise
                failure: ServerError = error
            except Unavailable as error:
                failure = error
            if self._clock() + pause >= end:
                raise Unavailable(
                    f"No answer within {self._deadline:g} s (last: {failure}). Look at the server's log; "
                    "allow more time with --deadline, or ask for less at once with --in-flight and --batch."
                ) from failure
            self._stopped.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Stopped("The run was stopped.")

    def _try(self, model: str, arrays: Arrays, end: float) -> Outputs:
        load = self._take()
        # A server that hangs must leave time for another one.
        timeout = (end - self._clock()) / min(2, len(self._loads))
        try:
            return load.server.infer(model, arrays, timeout)
        except Unavailable:
            load.rests_until = self._clock() + REST_SECONDS
            raise
        finally:
            with self._lock:
                load.in_flight -= 1

    def _take(self) -> _Load:
        with self._lock:
            now = self._clock()
            load = min(self._loads, key=lambda each: (each.rests_until > now, each.in_flight))
            load.in_flight += 1
            # The next of equals comes first the next time.
            self._loads.remove(load)
            self._loads.append(load)
            return load


def _difference(one: Contract, other: Contract) -> str | None:
    if one.models != other.models:
        return "the versions of the models"
    return None if one == other else "the parameters"
