"""A table of commands of which only the one that is called is imported."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Entry:
    """A command as the table names it.

    Attributes:
        name: on the command line.
        target: "module:function", or "module:app" where it is a `typer.Typer`.
        help: its line in the list of commands.
        panel: the heading it stands under.
    """

    name: str
    target: str
    help: str
    panel: str

    def load(self) -> Any:
        """The command itself, ready to be called."""
        module, _, attribute = self.target.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command = typer.main.get_command(found)
        else:
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command()(found)
            command = typer.main.get_command(single)
        command.name = self.name
        return command


class _Named(TyperCommand):
    """Stands for a command where commands are listed."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.help, rich_help_panel=entry.panel)
        self.entry = entry


def lazy_group(entries: Sequence[Entry]) -> type[TyperGroup]:
    """A class of groups for `typer.Typer(cls=...)` that holds the commands of a table."""

    class LazyGroup(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            settings["commands"] = {entry.name: _Named(entry) for entry in entries}
            super().__init__(**settings)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, command, rest = super().resolve_command(ctx, args)
            return name, command.entry.load() if isinstance(command, _Named) else command, rest

    return LazyGroup
