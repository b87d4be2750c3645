"""What stands before every answer: who may ask, what may be asked for, and the headers of whatever is answered.

method ─▶ Host ─▶ letters of the path ─▶ token ─▶ who writes ─▶ app
  405      403        404                 403        403
"""

import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from histoserve.client.view.writing import Writing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS = ("GET", "HEAD")

PATH = re.compile(r"/[A-Za-z0-9._/-]{0,300}")
"""All that our addresses are made of; none has a dot, or nothing, between two slashes."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

FREE = "/files/"
"""Below it lies the page itself, which is the same for everybody: the form that asks for the token needs it."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

DEFAULT_CACHING = "private, no-store"
"""Workstations are shared, and after a start anew the same address may show another slide."""


class Guard:
    """An ASGI app around another."""

    def __init__(
        self,
        app: App,
        hosts: Collection[str],
        without_token: Callable[[Request], Response | None],
        remark: Callable[[str], None],
        writing: Writing | None = None,
    ):
        """`hosts`: names allowed besides those of loopback; `without_token` answers who has not shown it.

        Without `writing` nothing is written, whatever is sent.
        """
        self._app = app
        self._hosts = {*LOOPBACK, *(host.lower() for host in hosts)}
        self._without_token = without_token
        self._remark = remark
        self._writing = writing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every answer has the headers; whatever fails is answered and told in a line."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", DEFAULT_CACHING)
            await send(message)

        try:
            await (self._refusal(scope) or self._app)(scope, receive, send_with_headers)
        except Exception as error:
            self._remark(f"{scope['path']!r:.120} could not be answered: {_line(error)}")
            if not begun:
                await failed()(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> App | None:
        headers = Headers(scope=scope)
        writes = self._writing is not None and scope["method"] == "POST" and scope["path"] == self._writing.path
        if scope["method"] not in METHODS and not writes:
            return _text("Only GET and HEAD are answered.", 405, {"Allow": ", ".join(METHODS)})
        if not self._is_ours(headers.get("host", ""), scope.get("server")):
            return _text("histoserve view was not started for this name: start it with --allow-host NAME.", 403)
        path = scope["path"]
        # By the bytes sent: what was written with % never is an address of ours.
        raw = scope.get("raw_path") or path.encode()
        if not PATH.fullmatch(path) or raw != path.encode() or "/." in path or "//" in path:
            return _text("Not found.", 404)
        unknown = None if path.startswith(FREE) else self._without_token(Request(scope))
        if unknown is None and writes and self._writing is not None and not self._writing.is_from_here(headers):
            return _text("Only the page itself may write. Load it again.", 403)
        return unknown

    def _is_ours(self, host: str, server: tuple[str, int | None] | None) -> bool:
        name = _host_name(host)
        # The address at which the request came in cannot be another site's name.
        return name is not None and (name in self._hosts or (server is not None and name == _plain(server[0])))


def failed() -> Response:
    """Nothing of what went wrong: that is for who runs the server."""
    return _text("This could not be answered.", 500)


def _text(text: str, code: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", code, headers)


def _host_name(host: str) -> str | None:
    """Of a Host header, without its port: a tunnel has another one than we."""
    matched = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", host)
    return _plain(matched[1].strip("[]").rstrip(".").lower()) if matched else None


def _plain(name: str) -> str:
    """Of an IP address one spelling."""
    try:
        address = ip_address(name)
    except ValueError:
        return name
    return str((isinstance(address, IPv6Address) and address.ipv4_mapped) or address)


def _line(error: Exception) -> str:
    last = traceback.extract_tb(sys.exc_info()[2])[-1]
    return f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"
