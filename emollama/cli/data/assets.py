"""`emollama assets ...`: pretrained weights by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.errors import EmollamaError, did_you_mean
from emollama.base.paths import need_folder
from emollama.base.quiet import quiet_libraries

app = typer.Typer(
    help="Fetch and list pretrained weights.", no_args_is_help=True, add_completion=False
)


@app.command("list")
def assets_list() -> None:
    """List all assets, and whether each is on this machine."""
    from rich.console import Console
    from rich.table import Table

    from emollama.assets import asset_home, list_assets, people
    from emollama.assets.folders import list_models

    console = Console()
    table = Table("name", "here", "licence", "what it is")
    for status in list_assets():
        table.add_row(status.name, "yes" if status.ready else "no", status.licence, status.about)
    table.add_row(people.NAME, "yes" if people.people_folder() else "no", people.LICENCE,
                  people.ABOUT)  # fmt: skip
    console.print(table)
    models = Table()
    models.add_column("full-size encoder", no_wrap=True)
    models.add_column("here")
    models.add_column("model hub", overflow="fold")
    models.add_column("what it is")
    for row in list_models():
        here, hub = "yes" if row.folder else "no", row.model.hub or "on none"
        models.add_row(row.model.name, here, hub, row.model.about)
    console.print(models)
    print(f"cache: {asset_home()}")


@app.command("fetch")
def assets_fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Names of assets; by default all that the default encoders need."),
    ] = None,
) -> None:
    """Fetch and convert weights, once.

    Without names, fetches those that the embedded default needs.
    """
    from emollama.assets import fetch, people
    from emollama.assets.folders import model_folder
    from emollama.assets.models import MODELS
    from emollama.assets.registry import ASSETS

    chosen = names or [a.name for a in ASSETS.values() if a.embedded]
    known = (*ASSETS, people.NAME, *MODELS)
    for name in chosen:
        if name not in known:
            raise EmollamaError(f"asset '{name}' is unknown{did_you_mean(name, known)}")
    quiet_libraries()
    for name in chosen:
        if name == people.NAME:
            print(f"{name}: {people.shipped_model().parent}")
            continue
        get = model_folder if name in MODELS else fetch
        print(f"{name}: {get(name, progress=_say)}")


@app.command("link")
def assets_link(
    name: Annotated[str, typer.Argument(help="Name of a full-size encoder.")],
    folder: Annotated[
        Path, typer.Argument(help="Folder with its weights in the transformers format.")
    ],
    convert: Annotated[
        bool, typer.Option(help="Write a safetensors copy of pytorch_model.bin.")
    ] = False,
) -> None:
    """Check the weights of a full-size encoder and put them in place."""
    need_folder(folder, f"'{name}'")
    from emollama.assets.folders import link

    place = link(name, folder, convert)
    print(f"{name}: {place}" + (f" -> {place.readlink()}" if place.is_symlink() else ""))


def _say(text: str) -> None:
    """One line for people, apart from what a command prints as its result."""
    print(text, file=sys.stderr, flush=True)
