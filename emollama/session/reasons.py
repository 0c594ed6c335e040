"""Reasons of a session: written by the model, checked, and said whose they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from emollama.llm.decoding import Reply
from emollama.manifest.labels import label_set
from emollama.scoring.reasons.check import (
    CheckedReason,
    Origin,
    checked_answer,
    checked_reason,
)
from emollama.scoring.reasons.facts import facts_of
from emollama.session.answer import Answer
from emollama.session.clip_view import ClipView

_WHY = re.compile(
    r"\b(?:why|explain\w*|reasons?|how (?:do|can|could|did) you (?:know|tell|see|hear)"
    r"|what (?:makes|made) you)\b",
    re.IGNORECASE,
)


def asks_why(question: str, instructions: Collection[str] = ()) -> bool:
    """Whether a question asks for a reason: one of the trained ones, or "why" in other words."""
    return question.strip() in instructions or bool(_WHY.search(question))


class CheckedReply(Reply):
    """An answer that comes in one piece, once it is checked.

    While it is written its pieces are empty, so that others can be served in between.

    Attributes:
        checked: the reason that stands, with its origin; None until the end.
    """

    def __init__(self, reply: Reply | None, check: Callable[[str], CheckedReason]) -> None:
        self._reply, self._check = reply, check
        self.prompt_tokens = 0 if reply is None else reply.prompt_tokens
        self.cached_tokens = 0 if reply is None else reply.cached_tokens
        self.new_tokens = 0
        self.finish = None
        self.checked: CheckedReason | None = None

    def __iter__(self) -> Iterator[str]:
        """Empty pieces, then the reason, or that there is none."""
        written = ""
        if self._reply is not None:
            for piece in self._reply:
                written += piece
                self.new_tokens = self._reply.new_tokens
                yield ""
            if self._reply.finish == "stopped":
                self.finish = "stopped"
                return
        self.checked = self._check(written.strip())
        self.finish = "stop"
        if self._reply is not None and (self.checked.text or "").startswith(written.strip()):
            self.finish = self._reply.finish
        yield self.checked.text or NOTHING_MEASURED

    @property
    def writing(self) -> Reply | None:
        """What writes the answer; None where the model was not asked."""
        return self._reply

    def whole(self) -> CheckedReason:
        """The reason, written to its end; without a text if it was stopped."""
        for _ in self:
            pass
        return self.checked or CheckedReason(None, None)


NOTHING_MEASURED = "Nothing that this model can put into words was measured in the clip."


def reason_from(reply: Reply) -> Origin | None:
    """Whose words a finished answer is in, where it says why; else None."""
    checked = reply.checked if isinstance(reply, CheckedReply) else None
    return None if checked is None else checked.origin


def check_of(look: ClipView, answer: Answer, written: str, why: bool = True) -> CheckedReason:
    """What a model wrote of a clip, held against its clues, channels and label.

    Where the channels alone are known to disagree, a reason ends in whom the answer follows.

    Args:
        look: the clip.
        answer: whose label the reason has to explain.
        written: by the model; "" where it was not asked.
        why: whether it was asked for a reason.
    """
    assert answer.label is not None, "a model that writes answers with a label"
    labels = label_set("of the answer", *answer.scores)
    clues = {c: words for c, words in look.clues.items() if c in look.channels}
    facts = facts_of(answer.label, look.used, clues, look.text, labels)
    facts = replace(facts, alone=answer.alone)
    if not why:
        return checked_answer(written, facts, labels)
    checked = checked_reason(written, facts, labels, clues, look.compared_with)
    if checked.text is None or answer.verdict is None:
        return checked
    return replace(checked, text=f"{checked.text} {answer.verdict}")
