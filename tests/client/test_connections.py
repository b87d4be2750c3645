"""Connections that break, freeze, or last long, over real sockets: a servicer behind a proxy, both in this process."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from histoserve.client import servers as servers_module
from histoserve.client import wire as wire_module
from histoserve.client.connect import connect
from histoserve.client.errors import Full, Lost, Refused, ServerError, Unavailable, WrongUsage
from histoserve.client.servers import Servers
from histoserve.client.wire import CHANNEL, Server


class Slow(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers with what it is asked, after `before` of the number of the request."""

    before: Callable[[int], Any] = staticmethod(lambda number: None)
    answer = service_pb2.ModelInferResponse()
    refuse: tuple[grpc.StatusCode, str, tuple[tuple[str, str], ...]] | None = None
    """What it says in place of an answer, and beside it."""
    lives = 0

    def __init__(self) -> None:
        # Each number once, whatever the threads do: one that two of them saw would break a connection twice.
        self.numbers = itertools.count(1)
        self.here = threading.local()
        """`request`, of the thread that answers it."""

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.lives += 1
        return service_pb2.ServerLiveResponse(live=True)

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.here.request = request
        if self.refuse:
            code, details, metadata = self.refuse
            context.set_trailing_metadata(metadata)
            context.abort(code, details)
        self.before(next(self.numbers))
        return self.answer


class Proxy:
    """Passes bytes on to a port, until it is told to break or to freeze."""

    def __init__(self, target: int):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets: list[socket.socket] = []
        self.frozen = False
        self.start(self._accept)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def start(self, function: Any, *arguments: Any) -> None:
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def break_all(self) -> None:
        """As if the server had died."""
        for each in list(self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # Closing alone would leave it open for the thread that waits in it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.break_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self.listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [ours, theirs]
                self.start(self._pass, ours, theirs)
                self.start(self._pass, theirs, ours)

    def _pass(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.frozen:
                    to.sendall(data)
            to.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def behind() -> Iterator[tuple[Slow, Proxy, Server]]:
    """The servicer, the proxy before it, and a connection through that. The servicer is as strict as any with pings."""
    servicer = Slow()
    running = grpc.server(ThreadPoolExecutor(16))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, running)
    proxy = Proxy(running.add_insecure_port("127.0.0.1:0"))
    running.start()
    server = Server(proxy.address)
    yield servicer, proxy, server
    server.close()
    with suppress(OSError):
        proxy.close()
    running.stop(None)


def test_a_connection_that_breaks_takes_the_request_along(behind: tuple[Slow, Proxy, Server]) -> None:
    servicer, proxy, server = behind
    servicer.before = lambda number: (proxy.break_all(), time.sleep(0.5))

    with pytest.raises(Lost):
        server.infer("m", {}, 10)


def test_where_nobody_listens_nothing_is_lost(behind: tuple[Slow, Proxy, Server]) -> None:
    _, proxy, server = behind
    server.infer("m", {}, 10)
    proxy.close()

    # The first one may still find the old connection.
    for _ in range(2):
        with pytest.raises(ServerError) as caught:
            server.infer("m", {}, 10)
        time.sleep(0.1)
    assert caught.type is Unavailable


def test_a_server_that_vanished_is_noticed(behind: tuple[Slow, Proxy, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "LIVE_EVERY", 0.1)
    monkeypatch.setattr(wire_module, "LIVE_WITHIN", 0.2)
    servicer, proxy, server = behind
    servicer.before = lambda number: setattr(proxy, "frozen", True)
    start = time.monotonic()

    with pytest.raises(Unavailable, match="vanished"):
        server.infer("m", {}, 60)
    assert time.monotonic() - start < 10


def test_a_long_request_is_waited_for(behind: tuple[Slow, Proxy, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "LIVE_EVERY", 0.05)
    servicer, _, server = behind
    servicer.before = lambda number: time.sleep(1.5)

    assert server.infer("m", {}, 10) == {}
    assert servicer.lives > 10


def test_pings_are_rarer_than_any_server_wants_them() -> None:
    # A server that is not told otherwise takes more than one ping in 300 s for an attack.
    assert dict(CHANNEL)["grpc.keepalive_time_ms"] > 300_000
    assert "grpc.keepalive_permit_without_calls" not in dict(CHANNEL)


def test_a_proxy_that_closes_at_every_tenth_request_costs_nothing(
    behind: tuple[Slow, Proxy, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers_module, "FIRST_PAUSE", 0.01)
    servicer, proxy, server = behind
    # Once each: one that comes again, by itself, would be taken for one that ends servers.
    closing = {bytes([number]) for number in range(0, 60, 10)}

    def close(_: int) -> None:
        own = servicer.here.request.raw_input_contents[0]
        if own in closing:
            closing.remove(own)
            proxy.break_all()
            time.sleep(0.1)

    servicer.before = close
    servers = Servers([server], deadline=60)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: servers.infer("m", {"NUMBER": np.array([i], np.uint8)}), range(60)))

    assert answers == [{}] * 60
    [record] = servers.record()
    assert record["answered"] == 60
    assert record["lost"] >= 6


@pytest.mark.parametrize(
    ("output", "contents", "words"),
    [
        ({"datatype": "FP32", "shape": [2**62, 4]}, [b""], r"in 0 bytes, which do not fit"),
        ({"datatype": "FP32", "shape": [-1]}, [b"1234"], "do not fit"),
        ({"datatype": "BYTES", "shape": [1]}, [b"1234"], "do not fit"),
        ({"datatype": "FP32", "shape": [1]}, [], "1 outputs came with 0 contents"),
    ],
)
def test_an_answer_that_is_none_ends_the_run_in_one_line(
    behind: tuple[Slow, Proxy, Server], output: dict[str, Any], contents: list[bytes], words: str
) -> None:
    behind[0].answer = service_pb2.ModelInferResponse(outputs=[{"name": "A", **output}], raw_output_contents=contents)

    with pytest.raises(ServerError, match=words):
        behind[2].infer("m", {}, 10)


def test_a_request_that_is_too_large_is_not_sent_again(behind: tuple[Slow, Proxy, Server]) -> None:
    # Unlike Triton, gRPC itself takes 4 MiB.
    with pytest.raises(Refused, match="larger than max"):
        behind[2].infer("m", {"A": np.zeros(5 * 2**20, np.uint8)}, 10)


def test_a_pipeline_that_is_not_installed_is_told_before_a_server_starts() -> None:
    with (
        pytest.raises(WrongUsage, match="lacks elsewhere_slide, elsewhere_tiles, or"),
        connect([], ["nuclei", "elsewhere"], 1),
    ):
        pass


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "[request id: <id_unknown>] Exceeds maximum queue size", Full),
        (grpc.StatusCode.UNAVAILABLE, "upstream connect error or disconnect/reset before headers: overflow", Full),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "local_rate_limited", Full),
        (grpc.StatusCode.UNAVAILABLE, "Server is stopping, scheduler for model has stopped accepting new", Unavailable),
        (grpc.StatusCode.UNAVAILABLE, "no healthy upstream", Unavailable),
        (grpc.StatusCode.INTERNAL, "in ensemble 'm', Stub process 'm_0_0' is not healthy.", Lost),
    ],
)
def test_what_a_server_says_in_trouble_is_understood(
    behind: tuple[Slow, Proxy, Server], code: grpc.StatusCode, details: str, kind: type[ServerError]
) -> None:
    behind[0].refuse = (code, details, ())

    with pytest.raises(ServerError) as caught:
        behind[2].infer("m", {}, 10)
    assert caught.type is kind


def test_of_several_replicas_none_is_waited_for_and_no_later_request_is_blamed(
    behind: tuple[Slow, Proxy, Server],
) -> None:
    died = (grpc.StatusCode.INTERNAL, "Stub process 'm_0_0' is not healthy.")
    kinds: list[tuple[type[ServerError], bool]] = []
    for replica in ("1.2.3.4:8001", "1.2.3.4:8001", "1.2.3.5:8001"):
        behind[0].refuse = (*died, (("x-histoserve-replica", replica),))
        with pytest.raises(ServerError) as caught:
            behind[2].infer("m", {}, 10)
        kinds.append((caught.type, getattr(caught.value, "stage_died", False)))

    assert kinds == [(Lost, False), (Unavailable, False), (Lost, False)]
