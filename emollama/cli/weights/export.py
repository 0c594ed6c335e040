"""`emollama export`: a model as one plain transformers folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.paths import need_artefact
from emollama.base.quiet import quiet_libraries


def export(
    model: Annotated[Path, typer.Option("--model", help="Folder of a tuned language model.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    merge: Annotated[bool, typer.Option("--merge", hidden=True)] = False,
) -> None:
    """Merge the adapter into the weights, as one transformers folder.

    The folder needs no other files.
    """
    if merge:
        print("note: --merge has no effect: export always merges", file=sys.stderr)
    need_artefact(model)
    quiet_libraries()
    from emollama.llm import artefact

    artefact.merge(model, out)
    print(f"merged model in {out}")
