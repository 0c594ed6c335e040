"""`emollama prepare <corpus>`: corpora of voices, and metadata that describes many of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emollama.cli.data.corpora import Out, Root, Strict, show

app = typer.Typer()


@app.command("emobox")
def prepare_emobox(
    root: Root,
    out: Out,
    fold: Annotated[int, typer.Option(help="Official fold, from 1.", min=1)] = 1,
    media: Annotated[
        Path | None,
        typer.Option(help="Folder of the corpus's own files.", show_default="EmoBox's downloads"),
    ] = None,
    validation: Annotated[
        int,
        typer.Option(help="Put every N-th training sample into split val; 0 for none.", min=0),
    ] = 0,
    strict: Strict = False,
) -> None:
    """EmoBox: one of its 32 corpora, e.g. data/emodb; official folds."""
    from emollama.corpora.readers.speech import emobox

    report = emobox.prepare_emobox(
        root, out, fold=fold, media=media, validation=validation, strict=strict
    )
    show(report)
