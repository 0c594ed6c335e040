"""`emollama serve`: the model over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from emollama.base.config import Precision
from emollama.base.errors import EmollamaError
from emollama.base.quiet import quiet_libraries

KEY_VARIABLE = "EMOLLAMA_API_KEY"


def serve(
    model: Annotated[Path, typer.Option("--model", help="Artefact of either kind.")],
    host: Annotated[str, typer.Option(help="Interface; only this machine by default.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 for any free one.")] = 8000,
    dtype: Annotated[Precision, typer.Option(help="Of a language model.")] = "auto",
    max_mb: Annotated[int, typer.Option(help="MiB of a clip.", min=1)] = 100,
    max_data_mb: Annotated[int, typer.Option(help="MiB of a clip in a data URL.", min=1)] = 16,
    max_in_hand_mb: Annotated[
        int, typer.Option(help="MiB of all requests in hand; more are answered 429.", min=1)
    ] = 512,
    max_kept_mb: Annotated[
        int, typer.Option(help="MiB of all uploads kept; the oldest make room.", min=1)
    ] = 4096,
    max_seconds: Annotated[float, typer.Option(help="Duration of a clip.")] = 120.0,
    max_side: Annotated[int, typer.Option(help="Pixels of a picture's longer side.")] = 4096,
    max_rate: Annotated[float, typer.Option(help="Frames a second.")] = 125.0,
    keep_seconds: Annotated[float, typer.Option(help="How long an upload is kept.")] = 3600.0,
    queue: Annotated[int, typer.Option(help="Requests in hand; more are answered 429.")] = 64,
    deadline: Annotated[float, typer.Option(help="Seconds for a request.")] = 120.0,
    watchers: Annotated[int, typer.Option(help="Processes that decode clips.")] = 2,
    watch_seconds: Annotated[float, typer.Option(help="For decoding one clip.")] = 60.0,
    watch_mb: Annotated[int, typer.Option(help="MiB that one clip may take.", min=64)] = 2048,
    describe: Annotated[bool, typer.Option(help="Also tell peak frame and timeline.")] = True,
) -> None:
    """Serve a model: OpenAI's chat about clips, /v1/emotion, uploads.

    The API key is read from EMOLLAMA_API_KEY, so that no list of processes shows it.
    """
    from emollama.serving.settings import Settings

    settings = Settings(
        host=host, port=port, api_key=os.environ.pop(KEY_VARIABLE, None) or None,
        max_bytes=max_mb << 20, max_data_bytes=max_data_mb << 20,
        max_in_hand=max_in_hand_mb << 20, max_kept=max_kept_mb << 20,
        max_seconds=max_seconds, max_side=max_side, max_rate=max_rate,
        keep_seconds=keep_seconds, queue=queue, deadline=deadline, watchers=watchers,
        watch_seconds=watch_seconds, watch_memory=watch_mb << 20,
    )  # fmt: skip
    if not settings.loopback and settings.api_key is None:
        raise EmollamaError(
            f"--host {host} lets other machines in: set {KEY_VARIABLE} to a key of at least 8 "
            "characters"
        )
    quiet_libraries()
    from emollama.serving.server import serve as run
    from emollama.session import open_session

    session = open_session(model, dtype, describe)
    print(f"{session.name} ({session.kind}) is being made ready", file=sys.stderr)
    run(session, settings, lambda address: print(f"listening on {address}", flush=True))
