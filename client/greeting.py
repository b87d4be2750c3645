"""What a port speaks, asked with Python's own TLS: gRPC's errors do not tell one refusal from another."""

import socket
import ssl
from typing import Literal

WITHIN_S = 3.0

Spoken = Literal["TLS", "TLS, with a certificate of the client", "no TLS"]


def spoken_at(host: str, port: int) -> Spoken | None:
    """None if nobody listens. Certificates are not looked at, and nothing secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((host.strip("[]"), port), WITHIN_S) as plain:
            try:
                with context.wrap_socket(plain) as secured:
                    return _after(secured)
            except ssl.SSLError as error:
                return "TLS, with a certificate of the client" if _asks(error) else "no TLS"
            except OSError:
                return "no TLS"
    except OSError:
        return None


def _after(secured: ssl.SSLSocket) -> Spoken:
    """A server speaks first in HTTP/2; one of TLS 1.3 refuses a client without a certificate only now."""
    try:
        secured.recv(1)
    except ssl.SSLError as error:
        if _asks(error):
            return "TLS, with a certificate of the client"
    except OSError:
        pass
    return "TLS"


def _asks(error: ssl.SSLError) -> bool:
    return "certificate_required" in str(error).lower().replace(" ", "_") or "handshake_failure" in str(error).lower()
