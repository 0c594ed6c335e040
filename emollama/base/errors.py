"""The one exception that reaches a user as a single line.

Everything a user can get wrong (a missing file, an unknown key, a corrupt shard) is raised as
`EmollamaError`. Its message names the file, key or id, says what is wrong and how to fix it. Entry
points print the message and exit with `EXIT_CODE`; every other exception is a bug and keeps its
traceback.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

EXIT_CODE = 2

_NO_MEMORY = re.compile(
    r"(?:not enough memory|can.t allocate memory): you tried to allocate (\d+)", re.IGNORECASE
)

P = ParamSpec("P")
R = TypeVar("R")


class EmollamaError(Exception):
    """A mistake in the user's input, described in one line."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is a misspelling or the beginning of; None where none is near."""
    options = sorted(set(known))
    # Short words share half of their letters by chance.
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.7 if len(word) < 6 else 0.6)
    begun = [option for option in options if len(word) >= _BEGINNING and option.startswith(word)]
    return next(iter([*close, *begun]), None)


_BEGINNING = 3
"""Letters that are no chance beginning."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean X?' with the nearest known word, else a list of the known words."""
    options = sorted(set(known))
    if near := nearest(word, options):
        return f"; did you mean '{near}'?"
    return f"; known: {', '.join(options)}" if options else ""


def require_known(what: str, word: str, known: Iterable[str]) -> None:
    """Raise an error unless the word is known.

    Args:
        what: the word's noun, e.g. "dtype".
        word: the word as given.
        known: all valid words.

    Raises:
        EmollamaError: naming the nearest known word, or all of them.
    """
    options = list(known)
    if word not in options:
        raise EmollamaError(f"{what} '{word}' is unknown{did_you_mean(word, options)}")


def out_of_memory(error: BaseException) -> str:
    """One line for an error that says memory is used up, as torch raises it; else ""."""
    said = " ".join(str(error).split())
    if type(error).__name__ == "OutOfMemoryError":
        sizes = ". ".join(said.split(". ")[:3]).rstrip(".")
    elif isinstance(error, MemoryError):
        sizes = said or "the system gives no more"
    elif found := _NO_MEMORY.search(said):
        sizes = f"{int(found[1]) / 1e9:.2f} GB more were asked for"
    else:
        return ""
    return (
        f"out of memory: {sizes}; hold the model in less (--dtype bfloat16, --quantise 4bit) or "
        "take smaller batches"
    )


def one_line_errors(main: Callable[P, R]) -> Callable[P, R]:
    """Wrap an entry point: an `EmollamaError` becomes one line on stderr and exit code 2."""

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return main(*args, **kwargs)
        except EmollamaError as error:
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
            raise SystemExit(EXIT_CODE) from None
        except (MemoryError, RuntimeError) as error:
            if not (said := out_of_memory(error)):
                raise
            print(f"error: {said}", file=sys.stderr)
            raise SystemExit(EXIT_CODE) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None

    return wrapped
