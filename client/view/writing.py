"""Who may write: the page of this run, in a browser that shows it from here.

Another site's page can make a browser send requests to us, but it cannot read our page, so it does not know the token;
and a browser says in Origin whose page sends.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers

TOKEN = "x-histoserve-token"
"""No form can send such a header, and no script of another site without being asked first, which is refused."""


@dataclass(frozen=True)
class Writing:
    """The one address that takes POST."""

    path: str
    hosts: Collection[str] = ()
    """Names of proxies, whose pages bear another Origin than the Host that reaches us."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Of this run; it stands in the page."""

    def is_from_here(self, headers: Headers) -> bool:
        """By the token, the Origin and the kind of what is sent; each of them once."""
        given = [headers.getlist(name) for name in (TOKEN, "origin", "content-type")]
        if any(len(each) != 1 for each in given):
            return False
        token, origin, kind = (each[0] for each in given)
        return (
            secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
            and kind.partition(";")[0].strip().lower() == "application/json"
            and headers.get("sec-fetch-site", "same-origin") == "same-origin"
            and self._is_ours(origin.lower(), headers.get("host", "").lower())
        )

    def _is_ours(self, origin: str, host: str) -> bool:
        scheme, separator, place = origin.partition("://")
        if scheme not in ("http", "https") or not separator:
            return False
        return place == host or place.partition(":")[0] in {name.lower() for name in self.hosts}
