"""Callbacks of the page's controls. They know the session, but not the layout.

Each callback is a generator of changes: values by component name.
"""

from __future__ import annotations

import functools
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from emollama.base.errors import EmollamaError
from emollama.demo.bars import answer_bars, carried
from emollama.demo.desk import Desk, View
from emollama.demo.peak import peak_figure
from emollama.demo.player import player
from emollama.demo.saving import case_sheet, how, notes, whole_record
from emollama.demo.timeline import lanes
from emollama.demo.visit import (
    LONGEST_QUESTION,
    LONGEST_WORDS,
    Exchange,
    Visit,
    chosen_labels,
    turns_of,
)
from emollama.manifest.labels import LABEL_SETS
from emollama.serving.decoders import DecoderPool
from emollama.serving.refusal import Refusal
from emollama.session import Answer, Sampling, Session, Turn
from emollama.session.answer import REASON_FROM

Changes = dict[str, Any]
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


class Callbacks:
    """Callbacks of one page; visitors share the session, and each has a `Visit`.

    Args:
        session: the model.
        decoders: decodes clips in processes with limits.
        folder: private folder for saved files.
    """

    def __init__(self, session: Session, decoders: DecoderPool, folder: Path) -> None:
        self.session, self.decoders, self.folder = session, decoders, folder

    @property
    def label_sets(self) -> dict[str, Sequence[str]]:
        """Label sets to choose from, by name; the first one, the model's own, is empty."""
        sets: dict[str, Sequence[str]] = {f"the model's own: {', '.join(self.session.labels)}": ()}
        if self.session.writes:
            for name, one in LABEL_SETS.items():
                sets[f"{name}: {', '.join(one.labels)}"] = one.labels
        return sets

    # --- clips ---------------------------------------------------------------------------------

    @on_the_page
    def open(
        self,
        view: View,
        path: str | None,
        labels: str | None = None,
        name: str | None = None,
        text: str | None = None,
    ) -> Iterator[Changes]:
        """Read a clip, ask for its label, and weigh the channels' shares.

        The page keeps its current clip until the new one has been read.

        Args:
            view: of the page.
            path: of the file; None if the visitor removed it.
            labels: as in `relabel`.
            name: shown instead of the file's name.
            text: the transcript, if known; else the clip is transcribed.
        """
        if path is None:
            return
        view.open()
        file = Path(path)
        yield {"state": busy("Reading the clip: faces, voice, words …")}
        self.decoders.inspect(file)
        observation = self.decoders.watch(file)
        shown = name or file.name
        whole = self.session.look_at(observation, text, shown)
        visit = Visit(file, shown, view.desk.known(self.session, whole))
        visit.labels = chosen_labels(labels, self.label_sets)
        if not view.put(visit):
            return  # another clip was chosen meanwhile
        yield {
            "desk": view.desk,
            "results": True,
            "chat": [],
            "answer": "",
            "carried": "",
            "player": player(visit.look, file),
            "peak": peak_figure(visit.look),
            **self._of_look(visit),
        }
        yield from self._answered(visit)

    @on_the_page
    def use(self, view: View, *used: bool) -> Iterator[Changes]:
        """Use these channels and leave out the others.

        Args:
            view: of the page.
            used: for each of the session's channels.
        """
        visit = view.opened
        off = {c for c, on in zip(self.session.channels, used, strict=True) if not on}
        try:
            # What the clip does not have cannot be switched, and is not meant to be left out.
            visit.leave_out(off & set(visit.whole.present))
        except EmollamaError:
            yield self._switches(visit)
            raise
        yield from self.asked_again(visit)

    @on_the_page
    def reword(self, view: View, text: str) -> Iterator[Changes]:
        """Use the edited transcript."""
        visit = view.opened
        if len(text) > LONGEST_WORDS:
            raise EmollamaError(
                f"the transcript has {len(text)} characters; at most {LONGEST_WORDS} are allowed"
            )
        visit.reword(self.session, text)
        yield {**self._of_look(visit), "player": player(visit.look, visit.path)}
        yield from self._answered(visit)

    @on_the_page
    def relabel(self, view: View, labels: str | None) -> Iterator[Changes]:
        """Choose from other labels: a set by name, or words separated by commas."""
        visit = view.visit
        if visit is None:
            return
        chosen = chosen_labels(labels, self.label_sets)
        before = visit.labels, visit.answer, visit.weights
        visit.labels = chosen
        visit.changed()
        try:
            yield from self._answered(visit)
        except EmollamaError:
            # What the page shows still holds.
            visit.labels, visit.answer, visit.weights = before
            raise

    def asked_again(self, visit: Visit) -> Iterator[Changes]:
        """The answer to a clip whose evidence has changed."""
        yield self._of_look(visit)
        yield from self._answered(visit)

    def _of_look(self, visit: Visit) -> Changes:
        return {
            "words": visit.look.text or "",
            "notes": notes(visit),
            "timeline": lanes(visit.look, visit.answer.frames if visit.answer else None),
            **self._switches(visit),
        }

    def _switches(self, visit: Visit) -> Changes:
        """Each channel's switch: on or off, or None if the clip lacks the channel."""
        return {
            f"use_{c}": (c not in visit.left_out) if c in visit.whole.present else None
            for c in self.session.channels
        }

    def _answered(self, visit: Visit) -> Iterator[Changes]:
        look, labels, changes = visit.look, visit.labels, visit.changes
        yield {"state": busy("Asking the model …")}
        held = self.session.calibration if labels is None else None
        coverage = None if held is None else held.coverage
        found = self.session.answer(look, explain=False, labels=labels, coverage=coverage)
        if visit.changes != changes:
            return  # something else was switched meanwhile, and its own answer is being computed
        visit.answer = found
        timeline = {"timeline": lanes(look, found.frames)} if found.frames else {}
        if labels is not None and set(labels) != set(self.session.labels):
            told = "The channels' shares are available for the model's own labels only."
            yield {"answer": answer_bars(found), "carried": f"<p class='small'>{told}</p>",
                   "state": done(found.seconds), **timeline}  # fmt: skip
            return
        yield {"answer": answer_bars(found), "carried": "", **timeline,
               "state": busy("Weighing the channels …")}  # fmt: skip
        weights = self.session.weights(look, found.label)
        if visit.changes != changes:
            return
        visit.weights = weights
        if weights is None:
            told = "This model predicts values; the channels' shares are available for labels only."
            yield {"carried": f"<p class='small'>{told}</p>", "state": done(found.seconds)}
        else:
            yield {"carried": carried(weights), "state": done(found.seconds)}

    # --- conversation --------------------------------------------------------------------------

    @on_the_page
    def ask(
        self, view: View, question: str, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask a question and show the answer as it is written."""
        visit = view.opened
        text = question.strip()
        if not text:
            raise EmollamaError("write a question first")
        if len(text) > LONGEST_QUESTION:
            raise EmollamaError(
                f"the question has {len(text)} characters; at most {LONGEST_QUESTION} are allowed"
            )
        sampling = Sampling(float(temperature), float(top_p), int(length))
        yield from self._write(visit, text, sampling)

    @on_the_page
    def ask_task(
        self, view: View, task: str, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask the question of a task, "emotion" or "reason"."""
        visit = view.opened
        question = self.session.question(task, visit.labels)
        sampling = Sampling(float(temperature), float(top_p), int(length))
        yield from self._write(visit, question, sampling)

    @on_the_page
    def retry(
        self, view: View, temperature: float, top_p: float, length: float
    ) -> Iterator[Changes]:
        """Ask the last question again, with the channels and settings as they are."""
        visit = view.opened
        if not visit.exchanges:
            raise EmollamaError("no question has been asked yet")
        sampling = Sampling(float(temperature), float(top_p), int(length))
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
            turns = [*turns_of(before), Turn("user", question)]
            prompt = self.session.prompt(look, turns)
            reply = self.session.ask(look, turns, sampling, visit.stop.is_set, visit.answer)
            one = Exchange(question, prompt, sampling, look.used)
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

    # --- saving --------------------------------------------------------------------------------

    @on_the_page
    def save_json(self, view: View) -> Iterator[Changes]:
        """The visit as a JSON file."""
        visit, answer = _answered(view)
        found = whole_record(self.session, visit, answer)
        text = json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        yield {"saved": str(self._file(visit, ".json", text)), "state": ""}

    @on_the_page
    def save_sheet(self, view: View) -> Iterator[Changes]:
        """The visit as a case sheet."""
        visit, answer = _answered(view)
        text = case_sheet(self.session, visit, answer)
        yield {"saved": str(self._file(visit, ".html", text)), "state": ""}

    def _file(self, visit: Visit, suffix: str, text: str) -> Path:
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(visit.name).stem)[:60]
        # An empty folder may have been swept away.
        self.folder.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=self.folder)) / f"{stem or 'clip'}{suffix}"
        path.write_text(text, encoding="utf-8")
        return path


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
    """The conversation for the chatbot, with the prompt folded below each answer."""
    found: list[dict[str, Any]] = []
    for one in visit.exchanges:
        found.append({"role": "user", "content": one.question})
        whose = f"\n\n*({REASON_FROM[one.reason_from]})*" if one.reason_from else ""
        found.append({"role": "assistant", "content": (one.answer or "…") + whose})
        if one.finish is not None:
            title = f"Prompt ({how(one)})"
            found.append(
                {"role": "assistant", "content": one.prompt,
                 "metadata": {"title": title, "status": "done"}}
            )  # fmt: skip
    return found


def busy(text: str) -> str:
    """A status line: work in progress."""
    return f'<p role="status">{escape(text)}</p>'


def done(seconds: float) -> str:
    """A status line: work done."""
    return f'<p role="status" class="small">Answered in {seconds:.1f} s.</p>'


def failed(message: str) -> str:
    """A status line: an error."""
    return f'<p role="alert" class="error">{escape(" ".join(message.split()))}</p>'


def _answered(view: View) -> tuple[Visit, Answer]:
    visit = view.opened
    if visit.answer is None:
        raise EmollamaError("there is no answer to save yet")
    return visit, visit.answer
