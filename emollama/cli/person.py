"""`emollama person ...`: the people that were stored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(
    help="List, show and remove stored people.", no_args_is_help=True, add_completion=False
)

Name = Annotated[str, typer.Argument(help="Name that the person was stored by.")]


@app.command("list")
def person_list() -> None:
    """List the people that were stored, and where."""
    from rich.console import Console
    from rich.table import Table

    from emollama.base.errors import EmollamaError
    from emollama.inputs.stored_people import load_person, people_folder, stored_file, stored_people

    table = Table("name", "clips", "stored on", "model")
    names = stored_people()
    for name in names:
        path = stored_file(name)
        day = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y-%m-%d")
        try:
            person = load_person(name)
            table.add_row(name, str(person.clips), day, person.prior)
        except EmollamaError:
            table.add_row(name, "the file is broken", day, "")
    if names:
        Console().print(table)
    else:
        print("nobody is stored")
    print(f"folder: {people_folder()}")


@app.command("show")
def person_show(name: Name) -> None:
    """Show what is stored of a person."""
    from emollama.inputs.stored_people import load_person, stored_file

    path, person = stored_file(name), load_person(name)
    about = path.stat()
    print(f"name:    {name}")
    print(f"clips:   {person.clips}")
    print(f"variety: {person.variety:.2f} (0: all clips seem to show one label; 1: many)")
    print(f"holds:   means and deviations of {len(person.mean)} columns; no recording")
    print(f"model:   {person.prior} (fits this one only)")
    print(f"stored:  {datetime.fromtimestamp(about.st_mtime):%Y-%m-%d %H:%M}, {about.st_size} "
          f"bytes, mode {about.st_mode & 0o777:04o}")  # fmt: skip
    print(f"file:    {path}")


@app.command("remove")
def person_remove(
    names: Annotated[list[str], typer.Argument(help="Names of stored people.")],
) -> None:
    """Remove stored people; nothing of them is kept."""
    from emollama.inputs.stored_people import remove_person, stored_file

    for name in names:
        stored_file(name)  # a wrong name is told before anybody is removed
    for name in dict.fromkeys(names):
        print(f"removed {remove_person(name)}")
