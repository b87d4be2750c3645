"""How a server that keeps others out is asked: over TLS, with a certificate, with a token. Plain gRPC unless told."""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from histoserve.client.errors import WrongUsage

SYSTEM = "system"
"""In place of a file: those that this machine trusts."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

LARGEST_TOKEN = 32 * 1024
"""Bytes; proxies take no longer header."""


class Token:
    """A bearer token in a file, read again whenever the file was changed; used by several threads."""

    def __init__(self, path: Path):
        """Raises WrongUsage for a file without one."""
        self.path = path
        self._lock = threading.Lock()
        self._seen = _look(path)
        self._text = _read(path)

    def text(self) -> str:
        """The newest one; while a new one is being written, the one before."""
        with self._lock:
            try:
                now = _look(self.path)
                if now != self._seen:
                    self._text, self._seen = _read(self.path), now
            except WrongUsage:
                pass
            return self._text


@dataclass(frozen=True)
class Access:
    """What is shown to a server, and what it must show."""

    ca: bytes | None = None
    """PEM: who may have signed its certificate. None: plaintext."""
    ca_named: str = ""
    """As the user did."""
    certificate: tuple[bytes, bytes] | None = None
    """PEM: our own certificate, and its key."""
    token: Token | None = None

    def metadata(self) -> list[tuple[str, str]]:
        """Of a request that is sent now."""
        return [("authorization", f"Bearer {self.token.text()}")] if self.token else []

    def require_secret(self, address: str, host: str) -> None:
        """Raises WrongUsage if a token would travel in plaintext further than on this machine."""
        if self.token and self.ca is None and host not in LOOPBACK:
            raise WrongUsage(
                f"The token in {self.token.path} would travel to {address} in plaintext, for all to read: "
                f"name who signed the server's certificate with --ca FILE, or --ca {SYSTEM}."
            )


PLAIN = Access()


def access_from_options(ca: str | None, certificate: Path | None, key: Path | None, token_file: Path | None) -> Access:
    """Reads the files that the user named; raises WrongUsage for one that cannot be it."""
    if (certificate is None) != (key is None):
        raise WrongUsage("--certificate and --key belong together: name both files.")
    if certificate and ca is None:
        raise WrongUsage(f"--certificate is shown over TLS only: name --ca FILE too, or --ca {SYSTEM}.")
    shown = None
    if certificate and key:
        _require_pair(certificate, key)
        shown = (_pem("--certificate", certificate), _pem("--key", key))
    return Access(None if ca is None else _trusted(ca), ca or "", shown, Token(token_file) if token_file else None)


def _trusted(ca: str) -> bytes:
    path = Path(ca)
    if ca == SYSTEM:
        found = ssl.get_default_verify_paths().cafile
        if found is None:
            raise WrongUsage("--ca system: this machine has no file of those that it trusts; name a file.")
        path = Path(found)
    trusted = _pem("--ca", path)
    try:
        ssl.create_default_context(cadata=trusted.decode("ascii", "replace"))
    except (ssl.SSLError, ValueError) as error:
        raise WrongUsage(f"--ca {ca} holds a damaged certificate: {error}.") from error
    return trusted


def _require_pair(certificate: Path, key: Path) -> None:
    try:
        # A key with a password would make it ask on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise WrongUsage(
            f"--certificate {certificate} and --key {key} do not fit each other, or the key has a password: {error}."
        ) from error
    except OSError as error:
        raise WrongUsage(f"--certificate {certificate}, --key {key}: {error.strerror}.") from error


def _pem(option: str, path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{option} {path}: {error.strerror}.") from error
    if b"-----BEGIN " not in content:
        raise WrongUsage(f"{option} {path} is no PEM file: it would begin with -----BEGIN.")
    return content


def _look(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        raise WrongUsage(f"--token-file {path}: {error.strerror}.") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TOKEN + 1)
    except OSError as error:
        raise WrongUsage(f"--token-file {path}: {error.strerror}.") from error
    text = content.decode("latin-1").strip()
    # In a header anything else would end the line, or the request.
    if len(content) > LARGEST_TOKEN or not text or not all("!" <= letter <= "~" for letter in text):
        raise WrongUsage(f"--token-file {path} holds no token: wanted one word of ASCII, without 'Bearer'.")
    return text
