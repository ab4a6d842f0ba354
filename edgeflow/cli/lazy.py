"""Groups of commands whose modules are imported only when one of the group runs."""

from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def group(module: str, says: str) -> typer.Typer:
    """Return a stand-in for the `app` of a module; `says` is the group's line of help.

    Every step of a build is a command: without it each imports what `device` or `fleet` need.
    """

    class Group(TyperGroup):
        @cached_property
        def _commands(self) -> Any:
            return typer.main.get_command(import_module(module).app)

        def list_commands(self, ctx: Any) -> list[str]:
            names: list[str] = self._commands.list_commands(ctx)
            return names

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return self._commands.get_command(ctx, cmd_name)

    return typer.Typer(cls=Group, help=says, no_args_is_help=True)
