"""One or several equal servers: who is asked, and what happens when one does not answer.

Unavailable ─▶ again, elsewhere if there is an elsewhere, until the deadline: nobody took the request
Full        ─▶ the same, and fewer requests at once
Lost        ─▶ again, alone, so that no other can be to blame; a request that is lost DEATHS times goes to the caller
Internal    ─▶ again, INTERNAL_TRIES times in all
Refused     ─▶ at once to the caller: the same request would be refused again

The caller splits what was lost: a tile that ends servers ends DEATHS with its neighbours and DEATHS without.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from histoserve.client.contract import Contract, difference
from histoserve.client.errors import Full, Internal, Lost, NoAnswer, ServerError, Stopped, Unavailable
from histoserve.client.room import Room
from histoserve.client.share import Share, Use
from histoserve.client.turns import Turns
from histoserve.client.wire import Arrays, Outputs

INTERNAL_TRIES = 4
"""A request that fails so often is at fault itself."""

DEATHS = 2
"""Servers that a request may end: the first one may have been another's fault, or chance."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between tries, doubled each time; up to a half more by chance, so that two clients do not meet again."""

REST_SECONDS, LONGEST_REST = 5.0, 60.0
"""A server that did not answer is asked last for so long, doubled each time."""

FULL_SECONDS = 1.0
"""A server that is full is asked last for so long."""

RESTART_SECONDS, RESTART_PAUSE = 60.0, 0.2
"""For so long a server with a dead stage is waited for to go down and come back, looking after each pause."""


Runs = Mapping[str, Sequence[str]]
"""What runs networks (ONNX Runtime's providers, the preferred first) → the models that it runs."""

NOTHING_KNOWN: Mapping[str, Runs] = MappingProxyType({})


class OneServer(Protocol):
    """What `wire.Server` is."""

    address: str

    def version(self) -> str:
        """Of Triton."""

    def contract(self, pipeline: str) -> Contract:
        """What it wants of its client; raises NoAnswer, or ServerError if it does not serve the pipeline."""

    def infer(self, model: str, arrays: Arrays, timeout: float) -> Outputs:
        """One try."""

    def close(self) -> None:
        """Cancels what is in flight."""


@dataclass
class _Load:
    server: OneServer
    in_flight: int = 0
    rests_until: float = -1.0
    silences: int = 0
    """Times in a row that it did not answer."""
    trusted: bool = True
    """False: it may have become another server, so its contract is compared before it is asked."""
    stage_died: float | None = None
    """When it said so; until it was seen down, a request would only be told so again."""
    down: float = -1.0
    """When it was last seen so: what was sent before tells nothing of what came back."""
    excluded: str | None = None
    """Why it is not asked any more."""


class Servers:
    """Asks the server with the fewest requests in flight; used by several threads."""

    def __init__(
        self,
        servers: Sequence[OneServer],
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
        warn: Callable[[str], None] = lambda text: None,
        runs: Mapping[str, Runs] = NOTHING_KNOWN,
    ):
        """`deadline`: seconds that one request may stay unanswered, all tries together; `warn` is told what goes on;
        `runs`: of those servers of which it is known, by address.
        """
        self._loads = [_Load(server) for server in servers]
        self._deadline = deadline
        self._clock = clock
        self._warn = warn
        self._runs = runs
        self._lock = threading.Lock()
        self._turns = Turns()
        self._room = Room()
        self._own = Use()
        self._uses = [self._own]
        self._agreed: dict[str, Contract] = {}

    def stop(self) -> None:
        """Cancels what is in flight and ends all waiting."""
        with self._lock:
            for use in self._uses:
                use.stopped.set()
        for load in self._all():
            load.server.close()

    def share(self, in_flight: threading.Semaphore) -> Share:
        """For one of several slides; `in_flight` lets through as many requests as all of them may have at a time."""
        with self._lock:
            use = Use()
            if self._own.stopped.is_set():
                use.stopped.set()
            self._uses.append(use)
        return Share(self, use, in_flight)

    def versions(self) -> list[str]:
        """Of Triton on the servers that answer, each once."""
        return sorted({load.server.version() for load in self._all() if load.trusted})

    def record(self, use: Use | None = None) -> list[dict[str, Any]]:
        """What became of the tries on each server, as in `result.json`; `runs` is None where it is not known."""
        counts = (use or self._own).counts
        kinds = ("answered", "unavailable", "lost", "internal", "refused")
        with self._lock:
            addresses = sorted(load.server.address for load in self._loads)
            tries = {each: {kind: counts[each][kind] for kind in kinds} for each in addresses}
        return [{"address": each, **tries[each], "runs": self._runs.get(each)} for each in addresses]

    def contract(self, pipeline: str) -> Contract:
        """The one that all servers agree on which answer; raises ServerError if they differ, or none does."""
        silent: dict[str, NoAnswer] = {}
        news: dict[str, NoAnswer] = {}
        agreed: tuple[OneServer, Contract] | None = None
        for load in self._all():
            try:
                contract = load.server.contract(pipeline)
            except NoAnswer as error:
                if load.trusted:
                    news[load.server.address] = error
                silent[load.server.address] = error
                self._rest(load)
                load.trusted = False
                continue
            agreed = agreed or (load.server, contract)
            what = difference(agreed[1], contract)
            if what:
                raise ServerError(
                    f"The servers {agreed[0].address} and {load.server.address} differ in {what} of the pipeline "
                    f"{pipeline}; a result must come from one. Serve the same model repository from both."
                )
            # It came back with something else while another slide was analysed; now it is asked for what it has.
            load.excluded = None
        if agreed is None:
            raise _none_answers(silent)
        for address, silence in news.items():
            self._warn(
                f"The server {address} does not answer ({silence.reason}); the run goes on without it until it does."
            )
        self._agreed[pipeline] = agreed[1]
        return agreed[1]

    def infer(self, model: str, arrays: Arrays, use: Use | None = None) -> Outputs:
        """Raises Refused, Internal, Lost, Unavailable (past the deadline) or Stopped."""
        use = use or self._own
        left, pause, lost, internal = self._deadline, FIRST_PAUSE, 0, 0
        failure: ServerError
        while not use.stopped.is_set():
            with (
                self._turns.alone() if lost else self._turns.together(),
                self._room.place(use.stopped.is_set) as number,
            ):
                # Waiting for its turn is not waiting for a server.
                began = self._clock()
                try:
                    outputs = self._try(model, arrays, left, use)
                    self._room.answered()
                    return outputs
                except Full as error:
                    self._room.full(number)
                    failure = error
                except Lost as error:
                    lost, failure = lost + 1, error
                    if lost == DEATHS:
                        raise Lost(f"{error}; the server ended {DEATHS} times while it had this request") from error
                except Internal as error:
                    internal, failure = internal + 1, error
                    if internal == INTERNAL_TRIES:
                        raise
                except Unavailable as error:
                    failure = error
            left -= self._clock() - began + pause
            if left <= 0:
                raise Unavailable(
                    f"No answer within {self._deadline:g} s (last: {failure}). Look at the server's log; "
                    "allow more time with --deadline, or ask for less at once with --in-flight and --batch."
                ) from failure
            use.stopped.wait(RESTART_PAUSE if isinstance(failure, _StageDied) else pause * random.uniform(1, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE)
        raise Stopped("The run was stopped.")

    def _try(self, model: str, arrays: Arrays, left: float, use: Use) -> Outputs:
        if use.stopped.is_set():
            raise Unavailable("the run was stopped")
        load = self._take()
        kind, sent = "refused", self._clock()
        try:
            if not load.trusted:
                self._admit(load)
            # A server that hangs must leave time for another one.
            outputs = load.server.infer(model, arrays, left / min(2, len(self._asked())))
            load.silences, kind = 0, "answered"
            return outputs
        except Full:
            kind = "unavailable"
            with self._lock:
                load.rests_until = max(load.rests_until, self._clock() + FULL_SECONDS)
            raise
        except Unavailable:
            kind = "unavailable"
            self._rest(load)
            load.trusted = False
            raise
        except Lost as error:
            kind = "lost"
            self._rest(load)
            load.trusted = False
            if error.stage_died and sent >= load.down:
                load.stage_died = self._clock()
            raise
        except Internal:
            kind = "internal"
            raise
        finally:
            with self._lock:
                load.in_flight -= 1
                use.counts[load.server.address][kind] += 1

    def _admit(self, load: _Load) -> None:
        """Raises Unavailable for a server that is not back yet, or came back with something else."""
        agreed = list(self._agreed.values())
        try:
            contracts = [load.server.contract(each.pipeline) for each in agreed]
        except ServerError as error:
            load.stage_died, load.down = None, self._clock()
            raise Unavailable(str(error)) from error
        if load.stage_died is not None and self._clock() < load.stage_died + RESTART_SECONDS:
            raise _StageDied(f"{load.server.address}: a stage's process ended, and the server was not started anew yet")
        differences = (difference(*pair) for pair in zip(agreed, contracts, strict=True))
        what = next(filter(None, differences), None)
        if what:
            load.excluded = f"{load.server.address} came back with another repository: it differs in {what}"
            self._warn(f"{load.excluded}; it is not asked any more.")
            raise Unavailable(load.excluded)
        load.stage_died = None
        load.trusted = True

    def _rest(self, load: _Load) -> None:
        with self._lock:
            # The other threads that met the same silence do not double it.
            if self._clock() < load.rests_until:
                return
            load.rests_until = self._clock() + min(REST_SECONDS * 2**load.silences, LONGEST_REST)
            load.silences = min(load.silences + 1, 10)

    def _all(self) -> list[_Load]:
        with self._lock:
            return list(self._loads)

    def _asked(self) -> list[_Load]:
        return [load for load in self._loads if load.excluded is None]

    def _take(self) -> _Load:
        with self._lock:
            now = self._clock()
            if not self._asked():
                reasons = "; ".join(str(load.excluded) for load in self._loads)
                raise ServerError(f"No server is left that serves what the run began with: {reasons}. Run it again.")
            load = min(self._asked(), key=lambda each: (each.rests_until > now, each.in_flight))
            load.in_flight += 1
            # The next of equals comes first the next time.
            self._loads.remove(load)
            self._loads.append(load)
            return load


class _StageDied(Unavailable):
    """It is seen soon whether the server goes down."""


def _none_answers(silent: dict[str, NoAnswer]) -> ServerError:
    if len(silent) == 1:
        return next(iter(silent.values()))
    reasons = "; ".join(f"{address} ({error.reason})" for address, error in silent.items())
    return ServerError(
        f"None of the servers answers: {reasons}. Check that they run and that these are their gRPC ports "
        "(usually 8001)."
    )
