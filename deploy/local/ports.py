"""Loopback ports: those that were asked for, if nobody has them, and free ones besides."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from histoserve.deploy.local.wheel import LocalTritonError

LOOPBACK = "127.0.0.1"
OPTIONS = {"grpc": "--port", "http": "--http-port", "metrics": "--metrics-port"}
"""A service → the option of `histoserve serve` that names its port."""


@dataclass(frozen=True)
class Ports:
    """Where each service of a server listens on loopback; None leaves it to `chosen`."""

    grpc: int | None = None
    http: int | None = None
    metrics: int | None = None


ANY = Ports()


def chosen(ports: Ports) -> dict[str, int]:
    """A port for each service, free ones where `ports` leaves it open; somebody may still take one before its use.

    Raises LocalTritonError, which names the option, for a port that cannot be had.
    """
    asked = asdict(ports)
    with ExitStack() as held:
        for service, port in asked.items():
            if port is not None:
                twice = next(other for other in asked if asked[other] == port)
                if twice != service:
                    raise LocalTritonError(f"{OPTIONS[twice]} and {OPTIONS[service]} are both {port}: change one")
                held.enter_context(_bound(service, port))
        # The others stay bound until all are, so that none gets the port of another.
        return {service: port or held.enter_context(_free()).getsockname()[1] for service, port in asked.items()}


def _bound(service: str, port: int) -> socket.socket:
    probe = socket.socket()
    # As the server does, so that a port of which only closed connections are left counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError as error:
        probe.close()
        taken = error.errno == errno.EADDRINUSE
        raise LocalTritonError(
            f"cannot listen on {LOOPBACK}:{port} ({error.strerror}): "
            + ("is a server running there already? Stop it, or choose" if taken else "choose")
            + f" another {OPTIONS[service]}"
        ) from None
    return probe


def _free() -> socket.socket:
    unused = socket.socket()
    unused.bind((LOOPBACK, 0))
    return unused
