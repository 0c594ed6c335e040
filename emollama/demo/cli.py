"""`emollama demo`, and `python -m demo`: the web page, on this machine only by default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emollama.assets.hub import artefact_folder
from emollama.assets.people import model_or_shipped
from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.precision import Precision, Quantise
from emollama.base.processors import settle_threads
from emollama.base.typer_app import run_app
from emollama.endpoints.vllm import EngineUrl, need_engine
from emollama.media.whispers import WHISPER, LanguageCode, TranscriberName, Whisper

KEY_VARIABLE = "EMOLLAMA_API_KEY"
USER = "emollama"


def demo(
    model: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained model.", show_default="models/people"),
    ] = None,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 7860,
    dtype: Annotated[Precision, typer.Option(help="Precision of a language model.")] = "auto",
    quantise: Quantise = None,
    examples: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of the example clips, created on first use."),
    ] = Path("runs/demo-examples"),
    no_examples: Annotated[bool, typer.Option("--no-examples", help="Show no examples.")] = False,
    transcriber: TranscriberName = WHISPER,
    language: LanguageCode = None,
    engine: EngineUrl = None,
    people: Annotated[
        bool, typer.Option("--people", help="Let visitors choose the people stored here.")
    ] = False,
    max_mb: Annotated[int, typer.Option(help="Largest clip, in MiB.")] = 100,
    max_seconds: Annotated[float, typer.Option(help="Longest clip, in seconds.")] = 120.0,
    watch_seconds: Annotated[
        float, typer.Option(help="Seconds that decoding and reading a clip may take.")
    ] = 120.0,
) -> None:
    """Open the web page for chatting about a clip.

    Ctrl-C ends it. With EMOLLAMA_API_KEY set, visitors log in as 'emollama' with
    the key as password.
    """
    if model is not None and not model.is_dir():
        model = artefact_folder(model)
    from emollama.serving.settings import Settings

    key = os.environ.pop(KEY_VARIABLE, None) or None
    settings = Settings(
        host=host, port=port, api_key=key, max_bytes=max_mb << 20, max_seconds=max_seconds,
        watch_seconds=watch_seconds, watchers=1, people=people,
    )  # fmt: skip
    if not settings.loopback and settings.api_key is None:
        raise EmollamaError(
            f"--host {settings.host} opens the page to other machines: set {KEY_VARIABLE} to a "
            f"password of at least 8 characters (the user is {USER})"
        )
    if engine is not None:
        engine = need_engine(engine)
    whisper = Whisper(transcriber, language)
    model = model_or_shipped(model)
    from emollama.serving.server import listening

    # A port that is taken is an error before the model is opened, which takes a while.
    listening(settings).close()
    import logging

    from emollama.base.quiet import quiet_libraries

    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    quiet_libraries()
    from emollama.demo.server import serve
    from emollama.session import open_session

    print(f"opening {model}", flush=True)
    serve(
        open_session(model, dtype, whisper=whisper, quantise=quantise, engine=engine),
        settings,
        None if no_examples else examples,
        USER,
        lambda address: print(f"open {address} in a browser; press Ctrl-C to stop", flush=True),
    )


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(demo)


@one_line_errors
def main() -> None:
    """Entry point of `python -m demo`."""
    settle_threads()
    run_app(app)
