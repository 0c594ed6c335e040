"""`emollama push`: an artefact to a model hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.assets.hub import is_name
from emollama.base.errors import EmollamaError
from emollama.base.paths import need_pushable
from emollama.base.quiet import quiet_libraries


def push(
    artefact: Annotated[Path, typer.Argument(help="Folder of a trained or exported model.")],
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository on the hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody read a repository that is made.")
    ] = False,
) -> None:
    """Push a model to the Hugging Face hub.

    The repository is private unless --public is given. Its card is the model's README. Paths of
    this machine in the training record are cut to their names. HF_ENDPOINT names another hub.
    """
    need_pushable(artefact)
    if not is_name(name):
        raise EmollamaError(f"'{name}' does not name a hub repository; give owner/name")
    quiet_libraries()
    from emollama.runs.push import push as run

    print(f"pushed to {run(artefact, name, public)}")
