"""Command lines built with typer, where every user mistake is one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from emollama.base.errors import EXIT_CODE, EmollamaError

_INTERRUPTED = 130  # what typer makes of Ctrl-C, without a word


def run_app(app: typer.Typer, words: Sequence[str] | None = None) -> NoReturn:
    """Run a command line, by default the process's own, and exit with its exit code.

    Raises:
        EmollamaError: a word of it is wrong.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        code = app(spread(sys.argv[1:] if words is None else words), standalone_mode=False)
    except TyperException as error:
        message = str(getattr(error, "format_message", lambda: "")())
        message = message.replace(": Value error, ", ": ")  # pydantic's words before a reason
        if not message:
            raise SystemExit(EXIT_CODE) from None  # a command without arguments: help was printed
        raise EmollamaError(f"{message} (see --help)") from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    raise SystemExit(code if isinstance(code, int) else 0)


def spread(words: Sequence[str]) -> list[str]:
    """Rewrite `--options a=b c=d`, as train.py takes it, with an `--options` before each value."""
    found: list[str] = []
    listing = False
    for word in words:
        override = listing and "=" in word and not word.startswith("-")
        if override and found[-1] != "--options":
            found.append("--options")
        listing = override or word == "--options"
        found.append(word)
    return found
