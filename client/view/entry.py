"""The token that whoever comes through the network has to show: once by the printed link, then by a cookie."""

import secrets
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response


class Entry:
    """Fits `guard.Guard`'s `without_token`."""

    def __init__(self, token: str, ask: Callable[[Request, bool], Response]):
        """`ask` makes the page that asks for the token, and says if one was wrong."""
        self._token = token
        self._ask = ask

    def __call__(self, request: Request) -> Response | None:
        """None for who has shown it."""
        # Cookies of other ports of the same host come as well.
        cookie = f"histoserve-{(request.scope.get('server') or ('', 0))[1]}"
        if self._right(_cookies(request).get(cookie, "")):
            return None
        if request.scope["path"] != "/":
            return self._ask(request, False)
        given = request.query_params.getlist("token")
        if len(given) != 1 or not self._right(given[0]):
            return self._ask(request, bool(given))
        kept = urlencode([each for each in request.query_params.multi_items() if each[0] != "token"])
        # Without a path of its own it holds for this folder and what is below: behind a prefix too.
        shown = {
            "Location": f"./?{kept}" if kept else "./",
            "Set-Cookie": f"{cookie}={self._token}; HttpOnly; SameSite=Strict",
        }
        return Response(status_code=303, headers=shown)

    def _right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def everybody(request: Request) -> Response | None:
    """As Entry, where no token is wanted."""
    return None


def _cookies(request: Request) -> dict[str, str]:
    # By hand: the standard library takes none at all if one of another program is not to its taste.
    pairs = (part.partition("=") for line in request.headers.getlist("cookie") for part in line.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}
