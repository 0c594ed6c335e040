"""`python -m demo`: the page, for this machine alone unless told otherwise."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from emollama.base.errors import EmollamaError, one_line_errors
from emollama.base.processors import settle_threads
from emollama.base.quiet import quiet_libraries

KEY_VARIABLE = "EMOLLAMA_API_KEY"
USER = "emollama"


@one_line_errors
def main() -> None:
    """Open the model, make the examples, serve the page until Ctrl-C."""
    settle_threads()
    arguments = _parser().parse_args()
    if not arguments.model.is_dir():
        what = "is a file" if arguments.model.is_file() else "there is no such folder"
        raise EmollamaError(
            f"{arguments.model}: {what}; --model names an artefact's folder, "
            "and `make quickstart` makes one in runs/quickstart/model"
        )
    from emollama.serving.server import listening
    from emollama.serving.settings import Settings

    key = os.environ.pop(KEY_VARIABLE, None) or None
    settings = Settings(
        host=arguments.host, port=arguments.port, api_key=key,
        max_bytes=arguments.max_mb << 20, max_seconds=arguments.max_seconds,
        watch_seconds=arguments.watch_seconds, watchers=1,
    )  # fmt: skip
    if not settings.loopback and settings.api_key is None:
        raise EmollamaError(
            f"--host {settings.host} lets other machines in: set {KEY_VARIABLE} to a password of "
            f"at least 8 characters (the user is {USER})"
        )
    # A port that is taken is told before the model is opened, which takes a while.
    listening(settings).close()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    quiet_libraries()
    from emollama.demo.server import serve
    from emollama.session import open_session

    print(f"{arguments.model} is being opened", flush=True)
    serve(
        open_session(arguments.model, arguments.dtype),
        settings,
        None if arguments.no_examples else arguments.examples,
        USER,
        lambda address: print(f"open {address} in a browser; Ctrl-C ends the page", flush=True),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    add = parser.add_argument
    add("--model", type=Path, default=Path("runs/quickstart/model"), help="artefact of either kind")
    add("--host", default="127.0.0.1", help="interface; only this machine by default")
    add("--port", type=int, default=7860, help="0 for any free one")
    add("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto",
        help="of a language model")  # fmt: skip
    add("--examples", type=Path, default=Path("runs/demo-examples"), metavar="DIR",
        help="where the example clips are, or are made the first time")  # fmt: skip
    add("--no-examples", action="store_true", help="make and show none")
    add("--max-mb", type=int, default=100, help="MiB of a clip")
    add("--max-seconds", type=float, default=120.0, help="duration of a clip")
    add("--watch-seconds", type=float, default=120.0, help="for decoding and reading one clip")
    return parser


if __name__ == "__main__":
    main()
