"""What the page may ask to be written."""

import json
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from histoserve.client.labels.label import Decision

MOST_BYTES = 1000
"""Of a request; they have a hundred."""

LARGEST = 10**7
"""Number of a pair or tile."""

NAMES = {"pair", "tile", "was", "decision"}


@dataclass(frozen=True)
class Asked:
    """One decision."""

    key: tuple[int, int]
    was: Decision
    """What whoever decides has seen."""
    decision: Decision


async def asked_in(request: Request) -> Asked:
    """Raises HTTPException for anything but {"pair", "tile", "was", "decision"} as they must be."""
    said = _json(await _body(request))
    if not isinstance(said, dict) or set(said) != NAMES:
        raise _wrong()
    numbers = said["pair"], said["tile"]
    if not all(type(each) is int and 0 < each < LARGEST for each in numbers):
        raise _wrong()
    if not all(isinstance(said[name], str) for name in ("was", "decision")):
        raise _wrong()
    try:
        return Asked(numbers, Decision(said["was"]), Decision(said["decision"]))
    except ValueError:
        raise _wrong() from None


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "That is too much.")
    return body


def _json(body: bytes) -> object:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name twice")
        return found

    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise _wrong() from None


def _wrong() -> HTTPException:
    return HTTPException(400, "This is no decision on a tile.")
