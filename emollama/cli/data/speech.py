"""`emollama prepare <corpus>`: corpora of speech, and metadata that describes many of them."""

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


@app.command("msp-improv")
def prepare_msp_improv(
    root: Root,
    out: Out,
    test_session: Annotated[int, typer.Option(help="Session to test on, 1 to 6.")] = 6,
    val_session: Annotated[
        int | None, typer.Option(help="Session to validate on.", show_default="none")
    ] = None,
    strict: Strict = False,
) -> None:
    """MSP-IMPROV: Evaluation.txt with votes, session1/ to session6/; leave one session out."""
    from emollama.corpora.readers.speech import msp_improv

    report = msp_improv.prepare_msp_improv(
        root, out, test_session=test_session, val_session=val_session, strict=strict
    )
    show(report)


@app.command("emorynlp")
def prepare_emorynlp(root: Root, out: Out, strict: Strict = False) -> None:
    """EmoryNLP: emorynlp_<split>_final.csv and folders of clips; official splits."""
    from emollama.corpora.readers.speech import emorynlp

    show(emorynlp.prepare_emorynlp(root, out, strict=strict))
