"""Commands whose subcommands are found by looking: `histoserve train NAME` for each pipeline that can be trained.

histoserve.export/<name>/train.py: train(…) ──▶ `histoserve train <name>`, the function's parameters its options
                         score.py: score(…) ──▶ `histoserve score <name>`, likewise
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


def rooms(floor: str, module: str) -> dict[str, str]:
    """The packages of the package `floor` that hold `module`, by name, and what each says it is."""
    found = {}
    for each in pkgutil.iter_modules(importlib.import_module(floor).__path__):
        package = f"{floor}.{each.name}"
        if each.ispkg and importlib.util.find_spec(f"{package}.{module}"):
            found[each.name] = (importlib.import_module(package).__doc__ or "").strip()
    return dict(sorted(found.items()))


def group(
    floor: str, module: str, load: Callable[[str], Callable[..., Any]], run: Callable[..., None]
) -> type[TyperGroup]:
    """The class of a command with a subcommand a room, whose parameters are those of the function `module` there.

    `load` gives the function of a full module name; `run` is called with the room's name and what the options say.
    Listing the rooms imports none of their networks.
    """

    class Rooms(TyperGroup):
        def list_commands(self, context: Any) -> list[str]:
            return list(rooms(floor, module))

        def get_command(self, context: Any, name: str) -> TyperCommand:
            known = rooms(floor, module)
            if name not in known:
                raise typer.BadParameter(f"no network is called {name!r}; there are: {', '.join(known)}", context)
            function = partial(load, f"{floor}.{name}.{module}")
            return _Later(name, known[name], lambda: _command(name, known[name], function(), run))

    return Rooms


class _Later(TyperCommand):
    """A command that is made when it is called, or asked for its options."""

    def __init__(self, name: str, text: str, make: Callable[[], TyperCommand]):
        super().__init__(name, help=text)
        self._make = make

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        return self._make().make_context(*arguments, **more)


def _command(name: str, text: str, function: Callable[..., Any], run: Callable[..., None]) -> TyperCommand:
    @wraps(function)
    def command(**options: Any) -> None:
        run(name, **options)

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, help=text)(command)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperCommand)
    return made
