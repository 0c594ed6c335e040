"""Free questions about a clip: what is known of it is told, and the rest is beyond the model.

A model is trained to name the emotion and to say why. Asked anything else it repeats its label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from emollama.llm.processing import Turn
from emollama.session.answer import Weights
from emollama.session.base import Session
from emollama.session.clip_view import ClipView
from emollama.session.moments import voice_lines
from emollama.session.reasons import NOTHING_MEASURED, asks_why

BEYOND = (
    "That is beyond this model. It can tell which emotion is shown and why, which channel its "
    "answer rests on, what is said, and what was measured."
)
OWN_LABELS_ONLY = "The channels' shares are available for the model's own labels only."
NO_LABELS = "This model predicts values; the channels' shares are available for labels only."


Known = Literal["channels", "measured", "said", "beyond"]
"""What a question is about that is not for the model."""


class FromData(Turn):
    """An answer from data: the model has not written it, and does not read it."""


def of_the_model(turns: Sequence[Turn]) -> list[Turn]:
    """The questions that the model was asked, with its answers."""
    pairs = zip(turns[::2], turns[1::2], strict=True)
    return [turn for pair in pairs if not isinstance(pair[1], FromData) for turn in pair]


def _any(*words: str) -> re.Pattern[str]:
    # Without any words nothing is found.
    return re.compile(rf"\b(?:{'|'.join(words) or '(?!)'})\b", re.IGNORECASE)


# "What is it based on?", not "Based on this clip, what does he feel?"
_BASED = r"based on(?=\W*$)|(?:answer|it|that|this|label|result)(?: \w+)? based on"
_CHANNEL = _any(
    "channels?", "modalit(?:y|ies)", "rests? on", "rel(?:y|ies|ied)", _BASED, r"contribut\w+",
    "shares?", r"shapley\w*",
)  # fmt: skip
_MEASURED = _any(r"measur\w+")
_WHEN = _any("when", "moments?", "strongest", "peaks?")
_EMOTION = _any(r"emotion\w*", r"feel\w*", "felt", "moods?", "labels?", r"sentiment\w*")
_VOICE_OR_FACE = _any(
    "clues?", r"pitch\w*", r"loud\w*", "quiet(?:er|ly)?", "voices?", "sounds?", "tone",
    "fast(?:er)?", "slow(?:er|ly)?", "faces?", "facial", "expressions?",
    "(?:eye)?brows?", "mouth", "lips?", r"smil\w+", r"frown\w*",
)  # fmt: skip
_SAID = _any(
    "said", r"say\w*", r"speak\w*", "spoken", r"talk\w*", "words?", r"transcri\w+", "sentences?",
    "languages?",
)  # fmt: skip
_CLIP = _any(
    r"describ\w+", r"analy[sz]\w+", "what (?:do|can) you (?:see|hear)", "what(?: is|'s) in",
)  # fmt: skip


def about(session: Session, question: str, labels: Sequence[str] | None = None) -> Known | None:
    """What a question is about; None where the model is to be asked.

    Args:
        session: the model.
        question: in English.
        labels: words to choose from, where they are not the model's own.
    """
    named = [*session.labels, *(labels or ())]
    emotion = bool(_EMOTION.search(question) or _any(*map(_forms, named)).search(question))
    shown = bool(_VOICE_OR_FACE.search(question))
    if _CHANNEL.search(question):
        return "channels"
    if _MEASURED.search(question) or (_WHEN.search(question) and (emotion or shown)):
        return "measured"
    if asks_why(question) or emotion:
        return None
    if shown:
        return "measured"
    if _SAID.search(question):
        return "said"
    return "measured" if _CLIP.search(question) else "beyond"


def told(
    session: Session,
    look: ClipView,
    question: str,
    labels: Sequence[str] | None = None,
    weights: Weights | None = None,
) -> str | None:
    """The answer to a question that is not for the model; None where the model is to be asked.

    Args:
        session: the model.
        look: the clip.
        question: in English.
        labels: words to choose from, where they are not the model's own.
        weights: the channels' shares in the answer, if they are known already.
    """
    match about(session, question, labels):
        case "channels":
            return _shares(session, look, labels, weights)
        case "measured":
            return measured(look)
        case "said":
            return said(look)
        case "beyond":
            return BEYOND
        case None:
            return None


def _forms(label: str) -> str:
    """A label in its forms: "happy", "happier", "happily"; not "happen", nor "job" for "joy"."""
    stem, last = re.escape(label.lower()[:-1]), label.lower()[-1:]
    if last == "y" and stem[-1:] not in "aeiou":
        return rf"{stem}(?:y|i\w*)"
    return rf"{stem}(?:e\w*|ing\w*)" if last == "e" else re.escape(label.lower()) + r"\w*"


def said(look: ClipView) -> str:
    """What is said in the clip, and who has transcribed it; or why there are no words."""
    if look.text is None:
        why = look.absent.get("words") or look.observation.absent.get("words")
        return f"No words are known: {why}." if why else "No words were heard in this clip."
    source = "given with the clip"
    if look.text_source == "heard":
        source = look.observation.heard_by.removeprefix("the words were ")
    unread = "" if "words" in look.used else "; the answer does not go by them"
    return f"“{look.text}” ({source}{unread})"


def measured(look: ClipView) -> str:
    """What was measured: the clues of each channel, then each moment, a line each."""
    still = look.observation.timeline.still
    lines = clue_lines(look) + voice_lines(look)
    lines += [
        f"{'' if still else f'{one.start:.1f}–{one.end:.1f} s, '}{one.channel}: "
        f"{one.words.removeprefix('face ')}"
        for one in look.observation.measurements
        if one.channel in look.channels
    ]
    shown = {one.channel for one in look.observation.measurements if one.channel in look.channels}
    if unread := sorted(shown - set(look.used)):
        lines.append(f"The answer does not go by the {' and the '.join(unread)}.")
    return "\n".join(lines) or NOTHING_MEASURED


def clue_lines(look: ClipView) -> list[str]:
    """The measured clues of each channel in use, with their yardstick."""
    return [
        f"measured in the {c}{f', compared with {look.compared_with}' if c == 'voice' else ''}: "
        f"{words}"
        for c, words in look.clues.items()
        if words and c in look.channels
    ]


def _shares(
    session: Session, look: ClipView, labels: Sequence[str] | None, weights: Weights | None
) -> str:
    if labels is not None and set(labels) != set(session.labels):
        return OWN_LABELS_ONLY
    found = weights or session.weights(look)
    if found is None:
        return NO_LABELS
    ranked = sorted(found.channels.items(), key=lambda pair: -pair[1])
    shares = ", ".join(f"{channel} {100 * share:+.0f}" for channel, share in ranked)
    return (
        f"{found.sentence} Shares in points of probability: {shares}; without any channel "
        f"{found.label} has {100 * found.empty:.0f} %, with all in use {100 * found.full:.0f} %."
    )
