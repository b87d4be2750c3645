"""What stands in addresses besides names: numbers, written one way only; anything else is not found."""

import math
import re

from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

COUNT = "0|[1-9][0-9]{0,6}"

REAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?")


class _Count(Convertor[int]):
    """As Starlette's own, which takes any number of digits and of leading zeros."""

    regex = COUNT

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("count", _Count())


def not_found() -> HTTPException:
    """To be raised."""
    return HTTPException(404)


def one(query: QueryParams, name: str) -> str | None:
    """None if it is absent; raises HTTPException if it is there twice."""
    values = query.getlist(name)
    if len(values) > 1:
        raise not_found()
    return values[0] if values else None


def count(text: str | None) -> int:
    """Raises HTTPException."""
    if text is None or not re.fullmatch(COUNT, text):
        raise not_found()
    return int(text)


def real(text: str | None) -> float:
    """A finite number; raises HTTPException."""
    number = float(text) if text is not None and REAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise not_found()
    return number


def choice(text: str | None, known: tuple[str, ...], otherwise: str) -> str:
    """One of `known`; raises HTTPException."""
    if text is not None and text not in known:
        raise not_found()
    return otherwise if text is None else text


def classes(text: str | None, known: int) -> frozenset[int] | None:
    """Different numbers below `known`, with commas between; None for all. Raises HTTPException."""
    if text is None:
        return None
    chosen = [count(each) for each in text.split(",")] if text else []
    if len(set(chosen)) < len(chosen) or any(each >= known for each in chosen):
        raise not_found()
    return frozenset(chosen)
