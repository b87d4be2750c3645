"""Loopback ports for a server that cannot choose its own."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from histoserve.deploy.local.wheel import LocalTritonError

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports that nobody listens on; another process may still take one before it is used."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]


def require_free(port: int) -> None:
    """Raise LocalTritonError if `port` is taken."""
    with socket.socket() as probe:
        # As the server does, so that a port of which only closed connections are left counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise LocalTritonError(
                f"cannot listen on {LOOPBACK}:{port} ({error.strerror}): is a server running there already? "
                "Stop it, or choose another --port"
            ) from None
