"""Lines that say beside a control what it is doing, what went wrong, or that it is done.

While a line that is `stale` stands, the style greys what is shown: it no longer holds.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.demo.desk import Desk, View
from emollama.serving.refusal import Refusal

Changes = dict[str, Any]
"""Values by component name; "state" is the line beside the control that was used, "states" all of
them.
"""
P = ParamSpec("P")
C = TypeVar("C")

_log = logging.getLogger("demo")


def on_the_page(
    callback: Callable[Concatenate[C, View, P], Iterator[Changes]],
) -> Callable[Concatenate[C, Desk, P], Iterator[Changes]]:
    """Drops changes that are about a clip no longer shown.

    Every error becomes a line on the page; internal errors also go to the log.
    """

    @functools.wraps(callback)
    def wrapped(self: C, desk: Desk, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Changes]:
        view = desk.view()
        for changes in errors_told(callback(self, view, *args, **kwargs)):
            if not view.current:
                yield {}  # when an event ends, Gradio shows its last changes once more
                return
            yield changes

    return wrapped


def errors_told(changes: Iterator[Changes]) -> Iterator[Changes]:
    """The changes of a callback; an error becomes a last one, of the line "state"."""
    try:
        yield from changes
    except EmollamaError as error:
        yield {"state": failed(str(error))}
    except Refusal as refusal:
        yield {"state": failed(refusal.message)}
    except Exception:
        number = uuid4().hex[:8]
        _log.exception("error %s", number)
        yield {"state": failed(f"an internal error; see {number} in the log")}


def busy(text: str, stale: bool = False) -> str:
    """Work in progress; `stale` where what is shown will be replaced by it."""
    return f'<p role="status" class="busy"{" data-stale" * stale}>{escape(text)}</p>'


def done(seconds: float) -> str:
    """Work done."""
    return f'<p role="status" class="small">Answered in {seconds:.1f} s.</p>'


def ready(text: str) -> str:
    """Nothing is in progress, and this can be done."""
    return f'<p role="status" class="small">{escape(text)}</p>'


def failed(message: str) -> str:
    """An error."""
    return f'<p role="alert" class="error">{escape(" ".join(message.split()))}</p>'
