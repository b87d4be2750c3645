"""Commands that only one pipeline has: declared in its room, found by looking.

client/pipelines/<name>/command.py: NAME, command(…) ──▶ `histoserve NAME`, the function's parameters its options
"""

import importlib
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from histoserve.client.rooms import rooms

FLOOR, MODULE = "histoserve.client.pipelines", "command"

Command = Callable[..., None]


def of_rooms() -> dict[str, Command]:
    """The commands, by the names under which they are called."""
    modules = [importlib.import_module(f"{FLOOR}.{name}.{MODULE}") for name in rooms(FLOOR, MODULE)]
    return {module.NAME: module.command for module in modules}


def group(wrapped: Callable[[Command], Command]) -> type[TyperGroup]:
    """The class of the whole program with the rooms' commands beside its own; `wrapped` tells their errors.

    Calling one of the program's own imports no room.
    """

    class WithOwnCommands(TyperGroup):
        def list_commands(self, context: Any) -> list[str]:
            return [*super().list_commands(context), *of_rooms()]

        def get_command(self, context: Any, name: str) -> Any:
            own = super().get_command(context, name)
            return own if own or name not in (found := of_rooms()) else _command(name, wrapped(found[name]))

    return WithOwnCommands


def _command(name: str, function: Command) -> TyperCommand:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(function)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperCommand)
    return made
