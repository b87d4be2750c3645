"""The parameters of a stage: from the text in its config to numbers in their ranges.

A stage's keyword-only arguments are its parameters, and their annotations say what is right: `seam_px: Annotated[int,
Range(0, "margin_px")]`. They are checked once, when the model loads: a config that is wrong must stop the server from
becoming ready, not blame each caller.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from numpy import ndarray

from histoserve.ensemble.identity import IDENTITY

Stage = Callable[..., dict[str, ndarray]]


@dataclass(frozen=True)
class Range:
    """Both ends belong to it; the upper one may be another parameter, by name."""

    low: float
    high: float | str


@dataclass(frozen=True)
class ForEach:
    """Of inputs that a stage takes as `**`: those of each name that a parameter lists."""

    names: str
    """The parameter."""
    prefixes: tuple[str, ...]
    """What stands before each name; "" for the name alone."""


Share = Annotated[float, Range(0, 1)]
"""Thresholds and parts of a whole."""
TilePx = Annotated[int, Range(0, 4096)]
"""A length in pixels of a network's tile, of which no network takes more."""


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


CONVERT: dict[Any, Callable[[str], Any]] = {int: int, float: float, str: str, tuple[str, ...]: split}
"""How a parameter's text becomes the annotated type."""


def parameters_from_config(function: Stage, config: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments that `config`, Triton's model configuration as JSON, holds for `function`.

    Raises TypeError if a parameter is missing, misspelt, unreadable or out of its range, or if the inputs are not the
    function's arguments. Other parameters that the function does not name are for clients, and left alone.
    """
    name = config["name"]
    given = {key: value["string_value"] for key, value in config.get("parameters", {}).items()}
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function).parameters.values()
    inputs = [argument.name for argument in signature if argument.kind is argument.POSITIONAL_OR_KEYWORD]
    each = [hints[argument.name] for argument in signature if argument.kind is argument.VAR_KEYWORD]
    configured = [tensor["name"].lower() for tensor in config["input"]]
    if sorted(inputs) != sorted(configured) and not each:
        raise TypeError(f"{name}: config.pbtxt has the inputs {configured}, but {function.__name__} takes {inputs}")
    parameters = [argument for argument in signature if argument.kind is argument.KEYWORD_ONLY]
    wanted = [argument for argument in parameters if argument.name != IDENTITY]
    unknown = set(given) - {argument.name for argument in wanted}
    for argument in wanted:
        if argument.name not in given:
            check_absent(name, argument, unknown)
    present = [argument.name for argument in wanted if argument.name in given]
    result = {key: converted(name, key, given[key], hints[key]) for key in present}
    defaults = {argument.name: argument.default for argument in wanted if argument.name not in given}
    for key in present:
        check_range(name, key, hints[key], result, result | defaults)
    for hint in each:
        check_each(name, hint, result, configured, inputs)
    return result


def check_absent(model: str, argument: inspect.Parameter, unknown: Iterable[str]) -> None:
    """A default is taken only if it is not for a misspelt name."""
    similar = difflib.get_close_matches(argument.name, list(unknown), 1, 0.8)
    hint = f"; is {similar[0]!r} meant for it?" if similar else ""
    if argument.default is argument.empty or similar:
        raise TypeError(f"{model}: config.pbtxt lacks the parameter {argument.name!r}, which the stage needs{hint}")


def converted(model: str, key: str, text: str, hint: Any) -> Any:
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            told = " or ".join(map(repr, get_args(kind)))
            raise TypeError(f"{model}: parameter {key!r} of config.pbtxt is {text!r}; wanted {told}")
        return text
    try:
        return CONVERT[kind](text)
    except ValueError as error:
        wanted = getattr(kind, "__name__", kind)
        raise TypeError(f"{model}: parameter {key!r} of config.pbtxt is {text!r}; wanted {wanted}: {error}") from error


def check_range(model: str, key: str, hint: Any, result: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    ranges = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Range)]
    for each in ranges:
        high = known[each.high] if isinstance(each.high, str) else each.high
        # Written so that NaN is out of every range.
        if not each.low <= result[key] <= high:
            ends = f"{each.low} to {high}" + (f" ({each.high})" if isinstance(each.high, str) else "")
            raise TypeError(f"{model}: parameter {key!r} of config.pbtxt is {result[key]}; wanted {ends}")


def check_each(model: str, hint: Any, given: Mapping[str, Any], configured: list[str], others: list[str]) -> None:
    """TypeError unless the inputs are `others` and those that ForEach in `hint` says."""
    (rule,) = (extra for extra in hint.__metadata__ if isinstance(extra, ForEach))
    names = given[rule.names]
    wanted = [*others, *(f"{prefix}{name.lower()}" for name in names for prefix in rule.prefixes)]
    if sorted(wanted) != sorted(configured) or len(set(wanted)) < len(wanted):
        raise TypeError(
            f"{model}: parameter {rule.names!r} of config.pbtxt is {','.join(names)!r}, for which it takes the inputs"
            f" {wanted}, but config.pbtxt has {configured}"
        )
