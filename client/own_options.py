"""Options of `histoserve analyze` that only some pipelines have: declared in their rooms, found by looking.

client/pipelines/<name>/options.py: options(…) -> Preparation ──▶ `histoserve analyze`, the function's parameters among
its options
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from histoserve.client.errors import WrongUsage
from histoserve.client.preparation import Preparation
from histoserve.client.rooms import rooms

FLOOR, MODULE = "histoserve.client.pipelines", "options"

Options = Callable[..., Preparation]


def of_rooms() -> dict[str, Options]:
    """The function of each pipeline that has options of its own."""
    return {name: importlib.import_module(f"{FLOOR}.{name}.{MODULE}").options for name in rooms(FLOOR, MODULE)}


def with_own_options(command: Callable[..., None], functions: Mapping[str, Options]) -> Callable[..., None]:
    """`command` with the functions' parameters beside its own; what they give is its `own`, by pipeline."""
    parameters = dict(inspect.signature(command).parameters)
    hints = get_type_hints(command, include_extras=True)
    for function in functions.values():
        # Of two that declare one name the first does.
        hints = {**get_type_hints(function, include_extras=True), **hints}
        for name, parameter in inspect.signature(function).parameters.items():
            parameters.setdefault(name, parameter)
    del parameters["own"]

    @wraps(command)
    def whole(**given: Any) -> None:
        own = {
            name: function(**{each: given[each] for each in inspect.signature(function).parameters})
            for name, function in functions.items()
        }
        mine = {name: value for name, value in given.items() if name in inspect.signature(command).parameters}
        command(**mine, own=own)

    ordered = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[n]) for n, each in parameters.items()]
    whole.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    whole.__annotations__ = {name: hints[name] for name in parameters}
    return whole


def preparations(own: Mapping[str, Preparation], pipelines: list[str]) -> dict[str, Preparation]:
    """Of the pipelines that are asked for; raises WrongUsage for an option of another."""
    functions = of_rooms()
    for name, preparation in own.items():
        if name not in pipelines and preparation != functions[name]():
            names = ", ".join(f"--{each.replace('_', '-')}" for each in inspect.signature(functions[name]).parameters)
            raise WrongUsage(f"{names} are options of {name} alone: add it to --pipeline, or leave them out.")
    return {name: own[name] for name in own if name in pipelines}


def later(name: str, text: str, make: Callable[[], Callable[..., None]]) -> type[TyperCommand]:
    """The class of a command whose function is made when it is called, or asked for its options."""

    class Later(TyperCommand):
        def make_context(self, *arguments: Any, **more: Any) -> Any:
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command(name, help=text)(make())
            return typer.main.get_command(app).make_context(*arguments, **more)

    return Later
