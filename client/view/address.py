"""Where the page is served, and under which names it may be asked for."""

import errno
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from histoserve.client.errors import HistoserveError, WrongUsage

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """A socket that listens, and what to call it."""

    socket: socket.socket
    host: str
    """For links: a name or address that others reach."""

    @property
    def link(self) -> str:
        """Of the start page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.socket.getsockname()[1]}/"


def listen(address: str, port: int, allow_network: bool) -> Address:
    """On `port`, or a free one for 0.

    Raises WrongUsage for an address beyond this machine that was not allowed, HistoserveError if it cannot be had.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise WrongUsage(f"--address {address!r} is none of this machine's: {error}.") from error
    found = ip_address(str(place[0]).partition("%")[0])
    if not (found.is_loopback or allow_network):
        raise WrongUsage(
            f"--address {address} can be reached by others. If the slides may be seen in your network give "
            "--allow-network, which asks everybody for a token; better, put it behind a server with a login "
            "(docs/view.md)."
        )
    listening = socket.socket(family, kind, protocol)
    # A port of which only closed connections are left is free.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise HistoserveError(_refused(address, port, error)) from error
    return Address(listening, socket.gethostname() if found.is_unspecified else address)


def _refused(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {address} is in use, perhaps by another histoserve view: give another --port, or none."
    return f"The page cannot be served at {address}, port {port}: {error.strerror}. Give another --port or --address."
