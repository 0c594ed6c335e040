"""The state of a visitor: a clip, its analysis, and the conversation about it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emollama.base.errors import EmollamaError
from emollama.demo.source import Source
from emollama.inputs.person import Person
from emollama.media.cutting import Box
from emollama.scoring.reasons.check import Origin
from emollama.session import Answer, ClipView, Reply, Sampling, Session, Turn, Weights
from emollama.session.questions import FromData
from emollama.session.reasons import reason_from

MOST_LABELS, LONGEST_LABEL = 50, 40
LONGEST_QUESTION, LONGEST_WORDS = 2000, 5000
"""Characters."""


@dataclass
class Exchange:
    """A question with its answer, and how the answer was made.

    Attributes:
        question: of the visitor.
        prompt: the full prompt.
        sampling: sampling settings.
        channels: channels in use.
        answer: the text so far.
        finish: why it ended; None while it is being written.
        prompt_tokens: tokens of the prompt, `cached_tokens` of them cached.
        new_tokens: tokens of the answer.
        seconds: time to write it.
        reason_from: whose words it is in, where it says why.
        from_data: whether it was told from what is known, not written by the model.
    """

    question: str
    prompt: str
    sampling: Sampling
    channels: tuple[str, ...]
    answer: str = ""
    finish: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    new_tokens: int = 0
    seconds: float = 0.0
    reason_from: Origin | None = None
    from_data: bool = False

    def count(self, reply: Reply) -> None:
        """Copy the details of a reply."""
        self.reason_from = reason_from(reply)
        self.finish = reply.finish
        self.prompt_tokens, self.cached_tokens = reply.prompt_tokens, reply.cached_tokens
        self.new_tokens = reply.new_tokens

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "question": self.question,
            "answer": self.answer,
            "reason_from": self.reason_from,
            "from_data": self.from_data,
            "finish": self.finish,
            "channels": list(self.channels),
            "prompt": self.prompt,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "new_tokens": self.new_tokens,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "max_new_tokens": self.sampling.max_new_tokens,
            "seconds": round(self.seconds, 3),
        }


@dataclass
class Visit:
    """A clip on the page.

    Attributes:
        source: what was read.
        whole: the clip with all channels.
        left_out: channels that the visitor has switched off.
        labels: labels to choose from; None for the model's own.
        answer: the current answer of the model; None until it is ready, like `weights`.
        faces: the part of the picture around each face that can be read, from left to right.
        face: which of them is read.
        changes: number of changes that affect the answer.
        exchanges: the conversation.
        stop: set to stop the answer in progress.
        writing: held while an answer is written.
    """

    source: Source
    whole: ClipView
    left_out: frozenset[str] = frozenset()
    labels: tuple[str, ...] | None = None
    answer: Answer | None = None
    weights: Weights | None = None
    faces: tuple[Box, ...] = ()
    face: int = 0
    changes: int = 0
    exchanges: list[Exchange] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """Its owner's name for the file."""
        return self.source.name

    @property
    def look(self) -> ClipView:
        """The clip without the channels left out; an `EmollamaError` if none remains."""
        return self.whole.only(c for c in self.whole.channels if c not in self.left_out)

    def leave_out(self, channels: Collection[str]) -> None:
        """Leave out exactly these channels.

        Raises:
            EmollamaError: no channel would remain; then nothing changes.
        """
        before, self.left_out = self.left_out, frozenset(channels)
        try:
            _ = self.look
        except EmollamaError:
            self.left_out = before
            raise
        self.changed()

    def reword(self, session: Session, text: str) -> None:
        """Replace the transcript; "" for none.

        Raises:
            EmollamaError: no channel would remain; then nothing changes.
        """
        before, self.whole = self.whole, session.reworded(self.whole, text)
        try:
            _ = self.look
        except EmollamaError:
            self.whole = before
            raise
        self.changed()

    def known_as(self, session: Session, person: Person | None, name: str | None = None) -> None:
        """Measure the clip against a person; None for nobody.

        Raises:
            EmollamaError: see `Session.known_as`; then nothing changes.
        """
        self.whole = session.known_as(self.whole, person, name)
        self.changed()

    def changed(self) -> None:
        """Discard the current answer."""
        self.answer = self.weights = None
        self.changes += 1

    def turns(self) -> list[Turn]:
        """The conversation so far."""
        return turns_of(self.exchanges)


def turns_of(exchanges: Sequence[Exchange]) -> list[Turn]:
    """A conversation as turns of user and assistant."""
    said: list[Turn] = []
    for one in exchanges:
        answer = FromData if one.from_data else Turn
        said += [Turn("user", one.question), answer("assistant", one.answer)]
    return said


def chosen_labels(text: str | None, known: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """The labels that a visitor has chosen: a set by name, or words separated by commas.

    None, for the model's own, if nothing is chosen.

    Raises:
        EmollamaError: too few or too many labels, or a label is too long.
    """
    if not text or not text.strip():
        return None
    if text in known:
        return tuple(known[text]) or None
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not 2 <= len(words) <= MOST_LABELS:
        raise EmollamaError(
            f"write 2 to {MOST_LABELS} labels separated by commas, e.g. calm, angry"
        )
    for word in words:
        if len(word) > LONGEST_LABEL:
            raise EmollamaError(
                f"label '{word[:LONGEST_LABEL]}…' has more than {LONGEST_LABEL} characters"
            )
    return words
