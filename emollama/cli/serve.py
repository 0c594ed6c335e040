"""`emollama serve`: the model over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError
from emollama.base.precision import Precision, Quantise
from emollama.base.quiet import quiet_libraries
from emollama.endpoints.vllm import EngineUrl, need_engine
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, Whisper

KEY_VARIABLE = "EMOLLAMA_API_KEY"


def serve(
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8000,
    dtype: Annotated[Precision, typer.Option(help="Precision of a language model.")] = "auto",
    quantise: Quantise = None,
    max_mb: Annotated[int, typer.Option(help="Largest clip, in MiB.", min=1)] = 100,
    max_data_mb: Annotated[
        int, typer.Option(help="Largest clip in a data URL, in MiB.", min=1)
    ] = 16,
    max_in_hand_mb: Annotated[
        int, typer.Option(help="MiB of all open requests; beyond it the answer is 429.", min=1)
    ] = 512,
    max_kept_mb: Annotated[
        int, typer.Option(help="MiB of all stored uploads; the oldest are removed.", min=1)
    ] = 4096,
    max_seconds: Annotated[float, typer.Option(help="Longest clip, in seconds.")] = 120.0,
    max_side: Annotated[
        int, typer.Option(help="Largest picture, in pixels of its longer side.")
    ] = 4096,
    max_rate: Annotated[float, typer.Option(help="Highest frame rate of a clip.")] = 125.0,
    keep_seconds: Annotated[float, typer.Option(help="Seconds that an upload is kept.")] = 3600.0,
    queue: Annotated[int, typer.Option(help="Open requests; beyond it the answer is 429.")] = 64,
    deadline: Annotated[float, typer.Option(help="Seconds that a request may take.")] = 120.0,
    watchers: Annotated[int, typer.Option(help="Processes that decode clips.")] = 2,
    watch_seconds: Annotated[
        float, typer.Option(help="Seconds that decoding a clip may take.")
    ] = 60.0,
    watch_mb: Annotated[
        int, typer.Option(help="MiB of memory that decoding a clip may take.", min=64)
    ] = 2048,
    describe: Annotated[bool, typer.Option(help="Also return peak frame and timeline.")] = True,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
    engine: EngineUrl = None,
    people: Annotated[
        bool, typer.Option("--people", help="Let requests name the people stored here.")
    ] = False,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File of API keys: a line is NAME KEY, or NAME KEY REQUESTS-A-MINUTE.",
            show_default="none",
        ),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Site whose web pages may ask, e.g. https://example.org; may be repeated.",
            show_default="none",
        ),
    ] = None,
    live: Annotated[int, typer.Option(help="Live sessions at a time.", min=0)] = 4,
    jobs: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which recordings are kept and analysed; clients fill it.",
            show_default="no recordings",
        ),
    ] = None,
) -> None:
    """Serve a model over HTTP.

    OpenAI-compatible chat about clips, /v1/emotion and uploads.

    The API key is read from EMOLLAMA_API_KEY, so that it does not show in the list of processes.
    """
    from emollama.serving.keys import read_keys
    from emollama.serving.settings import Settings

    settings = Settings(
        host=host, port=port, api_key=os.environ.pop(KEY_VARIABLE, None) or None,
        max_bytes=max_mb << 20, max_data_bytes=max_data_mb << 20,
        max_in_hand=max_in_hand_mb << 20, max_kept=max_kept_mb << 20,
        max_seconds=max_seconds, max_side=max_side, max_rate=max_rate,
        keep_seconds=keep_seconds, queue=queue, deadline=deadline, watchers=watchers,
        watch_seconds=watch_seconds, watch_memory=watch_mb << 20,
        people=people, live=live, keys=() if keys is None else read_keys(keys),
        origins=tuple(origin or ()),
    )  # fmt: skip
    if not settings.loopback and not settings.all_keys:
        raise EmollamaError(
            f"--host {host} opens the server to other machines: set {KEY_VARIABLE} to a key of at "
            "least 8 characters, or give a file of --keys"
        )
    if engine is not None:
        engine = need_engine(engine)
    whisper = Whisper(transcriber, language)
    model = model_or_shipped(model)
    quiet_libraries()
    from emollama.serving.server import serve as run
    from emollama.session import open_session

    analyses = None
    if jobs is not None:
        from emollama.recording.analysis import Options
        from emollama.serving.jobs import Jobs

        analyses = Jobs(jobs, Options(model, whisper, dtype=dtype, quantise=quantise))
    session = open_session(model, dtype, describe, whisper, quantise, engine)
    print(f"preparing {session.name} ({session.kind})", file=sys.stderr)
    run(session, settings, lambda address: print(f"listening on {address}", flush=True), analyses)
