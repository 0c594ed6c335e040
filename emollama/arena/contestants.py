"""Who answers: an artefact in this process, or an endpoint."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emollama.arena.configuration import Contestant
from emollama.arena.questions import Question
from emollama.arena.reading import NO_ANSWER, NO_JSON, read
from emollama.arena.sending import fields, messages
from emollama.arena.stimuli import Stimuli, Stimulus
from emollama.assets.hub import artefact_folder
from emollama.assets.people import shipped_model
from emollama.base.errors import EmollamaError
from emollama.base.precision import Precision
from emollama.endpoints.client import Endpoint, NoReplyError, Reply
from emollama.endpoints.many import REFUSED, Many, Row
from emollama.manifest.labels import LabelSet
from emollama.media.clip import MediaError
from emollama.session.answers_table import model_signature
from emollama.session.family import FUSION_MODEL, kind_of_artefact, stored_labels
from emollama.session.questions import measured

if TYPE_CHECKING:
    from emollama.session import ClipView, Session

UNREADABLE = "unreadable, or nothing to go by"


class Answering(ABC):
    """A contestant, ready to be asked.

    Args:
        name: in the configuration.
        how: its section there.
        stimuli: what is shown.
        labels: the label set.
    """

    def __init__(self, name: str, how: Contestant, stimuli: Stimuli, labels: LabelSet) -> None:
        self.name, self.how, self.stimuli, self.labels = name, how, stimuli, labels

    @property
    @abstractmethod
    def identity(self) -> list[Any]:
        """What its answers depend on besides the questions."""

    @abstractmethod
    def rows(
        self, todo: Iterable[tuple[str, Question]], answered: bool
    ) -> Iterator[tuple[str, Row]]:
        """Rows of questions by key, as they are answered.

        `answered`: whether it has answered before.

        Raises:
            EmollamaError: it does not answer at all; answers so far are kept.
        """


@dataclass(frozen=True)
class _Shown:
    """A question with what is shown; the clues that are sent, or why nothing can be shown."""

    question: Question
    stimulus: Stimulus
    clues: str = ""
    problem: str = ""


class EndpointContestant(Answering):
    """An endpoint with OpenAI's chat completions."""

    def __init__(self, name: str, how: Contestant, stimuli: Stimuli, labels: LabelSet) -> None:
        super().__init__(name, how, stimuli, labels)
        self._where = f"contestants.{name}"
        self._endpoint = Endpoint(
            self._where, str(how.url), str(how.model), how.key_env, max_tokens=how.max_tokens,
            body=how.body, concurrency=how.concurrency, timeout=how.timeout, retries=how.retries,
            pause=how.pause,
        )  # fmt: skip
        self._measures: _Measures | None = None
        if how.sends == "clues":
            folder = shipped_model() if how.measured_by is None else how.measured_by
            self._measures = _Measures(Looks(artefact_folder(folder), describe=True))

    @property
    def identity(self) -> list[Any]:
        """Address, model and settings, and what measures the clues."""
        how = self.how
        measured_by = None if self._measures is None else self._measures.looks.signature
        return [
            self._endpoint.address, self._endpoint.asked, how.sends, how.frames, how.words,
            how.form, measured_by,
        ]  # fmt: skip

    def rows(
        self, todo: Iterable[tuple[str, Question]], answered: bool
    ) -> Iterator[tuple[str, Row]]:
        """See `Answering`; as many questions are open at a time as its section says."""
        clips: dict[str, str] = {}
        many = Many(
            self.how.concurrency, self._where, str(self.how.url), answered, clips.__getitem__
        )
        yield from many.rows(self._shown(todo, clips), self._ask)

    def _shown(
        self, todo: Iterable[tuple[str, Question]], clips: dict[str, str]
    ) -> Iterator[tuple[str, _Shown]]:
        for key, question in todo:
            clips[key] = question.sample.id
            try:
                stimulus = self.stimuli.of(question)
                clues = "" if self._measures is None else self._measures.of(question, stimulus)
                yield key, _Shown(question, stimulus, clues)
            except EmollamaError as error:
                yield key, _Shown(question, Stimulus(None, None), problem=str(error))

    def _ask(self, shown: _Shown) -> Row:
        if shown.problem:
            return rejected(UNREADABLE, shown.problem)
        attempts: list[str] = []
        try:
            told = messages(shown.question, shown.stimulus, self.how, shown.clues)
        except MediaError as error:
            return rejected(UNREADABLE, str(error))
        more = fields(shown.question, shown.stimulus, self.how)
        tokens = [0, 0]
        try:
            for turn in range(self.how.retries + 1):
                reply = self._endpoint.ask(told, attempts.append, more)
                tokens = [tokens[0] + reply.tokens_in, tokens[1] + reply.tokens_out]
                fault = self._fault(reply)
                if not fault or turn == self.how.retries:
                    break
                attempts.append(fault)
        except NoReplyError as error:
            if error.everyone:
                raise
            row = rejected(REFUSED, str(error)) if error.refused else _failed(str(error))
            return {**row, "attempts": attempts, "tokens": tokens}
        return {
            "status": "ok", "text": reply.text, "attempts": [*attempts, fault or "ok"],
            "tokens": tokens, "seconds": round(reply.seconds, 4),
        }  # fmt: skip

    def _fault(self, reply: Reply) -> str:
        """What is wrong with the form of an answer, so that it is asked for again."""
        if self.how.form == "text":
            return "" if reply.text.strip() else "its answer is empty"
        return NO_JSON if read(reply.text, "label", self.labels).failure == NO_JSON else ""


class ArtefactContestant(Answering):
    """An artefact of ours, asked in this process."""

    def __init__(self, name: str, how: Contestant, stimuli: Stimuli, labels: LabelSet) -> None:
        super().__init__(name, how, stimuli, labels)
        assert how.artefact is not None
        folder = artefact_folder(how.artefact)
        known = set(stored_labels(folder))
        unknown = [label for label in labels.labels if label not in known]
        if unknown and (kind_of_artefact(folder) is FUSION_MODEL or not known):
            raise EmollamaError(
                f"contestants.{name}: {folder} does not know the label '{unknown[0]}', but "
                f"{', '.join(sorted(known)) or 'none at all'}; data.map can translate labels"
            )
        self._looks = Looks(folder, dtype=how.dtype)

    @property
    def identity(self) -> list[Any]:
        """The artefact's files, and the form of its answers."""
        return [self._looks.signature, self.how.form, self.how.dtype, self.how.max_tokens]

    def rows(
        self, todo: Iterable[tuple[str, Question]], answered: bool
    ) -> Iterator[tuple[str, Row]]:
        """See `Answering`; one question after another."""
        del answered
        for key, question in todo:
            yield key, self._answer(question)

    def _answer(self, question: Question) -> Row:
        session = self._looks.session
        if self.how.form == "text" and not session.writes:
            raise EmollamaError(
                f"contestants.{self.name}: answers: '{session.name}' writes no text; use 'scores'"
            )
        try:
            stimulus = self.stimuli.of(question)
            look = self._looks.of(question, stimulus)
        except EmollamaError as error:
            return rejected(UNREADABLE, str(error))
        started = time.monotonic()
        if self.how.form == "text":
            from emollama.session import Sampling, Turn

            turns = [Turn("user", question.text)]
            reply = session.ask(look, turns, Sampling(max_new_tokens=self.how.max_tokens))
            text = "".join(reply)
            return {
                "status": "ok", "text": text, "attempts": ["ok"],
                "tokens": [reply.prompt_tokens, reply.new_tokens],
                "seconds": round(time.monotonic() - started, 4),
            }  # fmt: skip
        found = session.answer(look, explain=False, labels=question.labels)
        return {
            "status": "ok", "text": None, "scores": found.scores, "attempts": ["ok"],
            "tokens": [0, 0], "seconds": round(time.monotonic() - started, 4),
        }  # fmt: skip


class Looks:
    """A session that looks at stimuli, each once while it is asked about.

    Args:
        folder: of the artefact.
        dtype: of a language model.
        describe: whether faces and voices are also described by what no model needs.
    """

    def __init__(
        self, folder: Path, dtype: Precision = "auto", describe: bool = False
    ) -> None:  # fmt: skip
        self.folder, self.dtype, self.describe = folder, dtype, describe
        self.signature = model_signature(folder)
        self._last: tuple[Stimulus, ClipView] | None = None

    @cached_property
    def session(self) -> Session:
        """Opened at the first question."""
        from emollama.session import open_session

        return open_session(self.folder, self.dtype, describe=self.describe)

    def of(self, question: Question, stimulus: Stimulus) -> ClipView:
        """The view of a question's stimulus.

        Raises:
            EmollamaError: it cannot be read, or has nothing that the model goes by.
        """
        last = self._last
        if last is not None and last[0] == stimulus:
            return last[1]
        self._last = None
        look = self._look(question, stimulus, last)
        if last is not None:
            self.session.forget(last[1])
        self._last = stimulus, look
        return look

    def _look(
        self, question: Question, stimulus: Stimulus, last: tuple[Stimulus, ClipView] | None
    ) -> ClipView:
        file, words = stimulus.file, stimulus.words
        if file is None:
            from emollama.session.observation import nothing_seen

            return self.session.look_at(nothing_seen(), words or "", question.sample.id)
        if last is not None and last[0].file == file and words is not None:
            return self.session.reworded(last[1], words)
        return self.session.look(file, words, transcribe=words is None)


@dataclass
class _Measures:
    """What is measured in stimuli, in words."""

    looks: Looks

    def of(self, question: Question, stimulus: Stimulus) -> str:
        """The clues of a stimulus, a line each; "" where nothing can be measured."""
        try:
            return measured(self.looks.of(question, stimulus))
        except EmollamaError:
            if question.ablation is None:
                raise
            return ""


def opened(name: str, how: Contestant, stimuli: Stimuli, labels: LabelSet) -> Answering:
    """A contestant, checked as far as that goes without asking it.

    Raises:
        EmollamaError: its section names what is not there.
    """
    kind = EndpointContestant if how.artefact is None else ArtefactContestant
    return kind(name, how, stimuli, labels)


def rejected(reason: str, detail: str) -> Row:
    """A question that is never answered, and why."""
    return {"status": "rejected", "reason": reason, "detail": detail}


def _failed(detail: str) -> Row:
    """A question without an answer so far."""
    return {"status": "failed", "reason": NO_ANSWER, "detail": detail}


def not_yet() -> Row:
    """A question that has not been asked."""
    return _failed("not asked yet")
