"""Callbacks of the conversation about a clip."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.demo.desk import Desk, View
from emollama.demo.saving import how
from emollama.demo.status import Changes, busy, done, on_the_page
from emollama.demo.visit import LONGEST_QUESTION, Exchange, Visit, turns_of
from emollama.session import Sampling, Session, Turn
from emollama.session.answer import REASON_FROM
from emollama.session.questions import of_the_model, told


class Conversation:
    """Callbacks of the part of the page that is a conversation."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @on_the_page
    def ask(
        self, view: View, question: str, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask a question and show the answer once it is checked."""
        visit = view.opened
        text = question.strip()
        if not text:
            raise EmollamaError("write a question first")
        if len(text) > LONGEST_QUESTION:
            raise EmollamaError(
                f"the question has {len(text)} characters; at most {LONGEST_QUESTION} are allowed"
            )
        yield from self._write(visit, text, _sampling(temperature, top_p, length))

    @on_the_page
    def ask_task(
        self, view: View, task: str, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask the question of a task, "emotion" or "reason"."""
        visit = view.opened
        question = self.session.question(task, visit.labels)
        yield from self._write(visit, question, _sampling(temperature, top_p, length))

    @on_the_page
    def retry(
        self, view: View, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask the last question again, with the channels and settings as they are."""
        visit = view.opened
        if not visit.exchanges:
            raise EmollamaError("no question has been asked yet")
        sampling = _sampling(temperature, top_p, length)
        yield from self._write(visit, visit.exchanges[-1].question, sampling, again=True)

    def stop(self, desk: Desk) -> None:
        """Stop the answer in progress."""
        if desk.visit is not None:
            desk.visit.stop.set()

    @on_the_page
    def forget(self, view: View) -> Iterator[Changes]:
        """Start a new conversation."""
        visit = view.opened
        with _writing(visit):
            visit.exchanges.clear()
        yield {"chat": [], "state": ""}

    def _write(
        self, visit: Visit, question: str, sampling: Sampling, again: bool = False
    ) -> Iterator[Changes]:
        with _writing(visit):
            before = visit.exchanges[:-1] if again else visit.exchanges[:]
            visit.stop.clear()
            look, started = visit.look, time.monotonic()
            one = Exchange(question, "", sampling, look.used)
            if (
                known := told(self.session, look, question, visit.labels, visit.weights)
            ) is not None:
                one.answer, one.finish, one.from_data = known, "stop", True
                one.seconds = time.monotonic() - started
                visit.exchanges = [*before, one]
                yield {"chat": messages(visit), "question": "", "state": ""}
                return
            turns = [*of_the_model(turns_of(before)), Turn("user", question)]
            one.prompt = self.session.prompt(look, turns)
            reply = self.session.ask(look, turns, sampling, visit.stop.is_set, visit.answer)
            # From here on there is an answer, if only a beginning of one.
            visit.exchanges = [*before, one]
            yield {"chat": messages(visit), "question": "", "state": busy("Writing …")}
            try:
                for piece in reply:
                    one.answer += piece
                    yield {"chat": messages(visit)}
            finally:
                one.seconds = time.monotonic() - started
                one.count(reply)
        yield {"chat": messages(visit), "state": done(one.seconds)}


def _sampling(temperature: float, top_p: float, length: float) -> Sampling:
    return Sampling(float(temperature), float(top_p), int(length))


@contextmanager
def _writing(visit: Visit) -> Iterator[None]:
    """A visit has one answer in progress at a time; a second is refused, not queued."""
    if not visit.writing.acquire(blocking=False):
        raise EmollamaError("an answer is being written; stop it, or wait until it ends")
    try:
        yield
    finally:
        visit.writing.release()


def messages(visit: Visit) -> list[dict[str, Any]]:
    """The conversation for the chatbot; how an answer was made, and the prompt, are folded."""
    found: list[dict[str, Any]] = []
    for one in visit.exchanges:
        found.append({"role": "user", "content": one.question})
        whose = f"\n\n({REASON_FROM[one.reason_from]})" if one.reason_from else ""
        found.append({"role": "assistant", "content": (one.answer or "…") + whose})
        if one.prompt and one.finish is not None:
            found.append(
                {"role": "assistant", "content": f"{how(one)}\n\n{one.prompt}",
                 "metadata": {"title": "How this was made", "status": "done"}}
            )  # fmt: skip
    return found
