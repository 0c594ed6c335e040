"""Checks that a reason agrees with the measurements and concludes its label.

The check needs no model. It is used on every reason, by whom it was written and wherever it is
shown: `checked_reason` also gives what takes the place of one that fails.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from emollama.manifest.labels import LabelSet
from emollama.scoring.reasons.claims import (
    agreeing,
    channels_in,
    conclusion,
    labels_in,
    looks_in,
    misplaced,
    quoted_share,
    quotes_in,
    sentences,
    subject_of,
    told_of,
)
from emollama.scoring.reasons.facts import Facts
from emollama.scoring.reasons.lexicon import QUOTE, Clue, clues_in
from emollama.scoring.reasons.sentences import (
    measured_reason,
    measured_sentences,
    scores_sentence,
)
from emollama.scoring.reasons.voice_words import OPPOSITE

Origin = Literal["model", "both", "clues"]
"""Who wrote a reason: the model; the model, with sentences of the measured clues in place of those
that are untrue; or nobody: then it is the measured clues alone.
"""

LEAST_WORDS = 8
_LEAST_QUOTED = 0.7  # of a quotation's words, so many must have been said
_LEAST_DISTINCT = 0.6  # of a reason's triples of words, so many must be different
_LONG_WORD, _LEAST_SHARED = 4, 2  # letters; long words of what was said that a reason must hold
_BROWS = frozenset({"AU01", "AU02"})  # raised brows, told without inner or outer, name both
_OPEN_MOUTH = frozenset({"AU25", "AU26"})
_STILL = re.compile(r"\brelaxed (?:features|face)\b")


@dataclass(frozen=True)
class Fault:
    """A fault of a reason, in a few words; `place` is that of its sentence, None of the whole."""

    why: str
    place: int | None = None


@dataclass(frozen=True)
class CheckedReason:
    """A reason that agrees with what was measured.

    Attributes:
        text: None where there is neither a reason that stands nor a measured clue.
        origin: who wrote it; None without a text.
        faults: of what the model wrote, each in a few words.
    """

    text: str | None
    origin: Origin | None
    faults: tuple[str, ...] = ()


def checked_reason(
    written: str | None,
    facts: Facts,
    labels: LabelSet,
    clues: Mapping[str, str],
    compared_with: str,
) -> CheckedReason:
    """What the model wrote if it stands, or stands with measured clues in place of its untrue
    sentences, or without these; else the clues.

    Args:
        written: by the model; None or "" where it was not asked.
        facts: about the clip.
        labels: of the model.
        clues: measured words by channel, of the channels in use.
        compared_with: what they are relative to.
    """
    against = faults(written, facts, labels) if written else []
    told = tuple(dict.fromkeys(fault.why for fault in against))
    if written and not against:
        return CheckedReason(written, "model")
    untrue = {fault.place for fault in against}
    measured = measured_sentences(clues, facts.text, compared_with)
    for instead in (measured, {}):
        text, replaced = _mended(written or "", untrue, facts, labels, instead)
        if text and text != written and not faults(text, facts, labels):
            return CheckedReason(text, "both" if replaced else "model", told)
        if not replaced:
            break
    whole = measured_reason(clues, facts.text, facts.label, compared_with)
    return CheckedReason(whole, None if whole is None else "clues", told)


def _mended(
    written: str,
    untrue: Collection[int | None],
    facts: Facts,
    labels: LabelSet,
    instead: Mapping[str, str],
) -> tuple[str, bool]:
    """(a reason without its untrue sentences, whether others took their place).

    An untrue sentence gives way to what was measured on the channels that it tells of, where no
    other sentence names a clue of them; where it also concluded the label, the scores do.
    """
    told = list(enumerate(sentences(written)))
    concluded = conclusion(written, labels)
    true = [told_of(sentence, facts.content) for i, sentence in told if i not in untrue]
    missing = {c: measured for c, measured in instead.items() if not any(c in t for t in true)}
    replaced = False
    kept = []
    for i, sentence in told:
        if i not in untrue:
            kept.append(sentence)
            continue
        of = [subject_of(sentence, facts.content), *sorted(told_of(sentence, facts.content))]
        for channel in of:
            if channel in missing:
                kept.append(missing.pop(channel))
                replaced = True
    if concluded and concluded[0] in untrue and concluded[1] == facts.label:
        kept.append(scores_sentence(facts.label))
        replaced = True
    return " ".join(kept), replaced


def checked_answer(written: str, facts: Facts, labels: LabelSet) -> CheckedReason:
    """What a model wrote when it was not asked why, if it agrees with the clip and its scores.

    It need not explain, or name an emotion; else its true sentences, and what the scores say where
    they no longer name the label.
    """
    against = _untrue(written, facts, labels)
    if written and not against:
        return CheckedReason(written, None)
    untrue = {fault.place for fault in against}
    kept = " ".join(s for i, s in enumerate(sentences(written)) if i not in untrue)
    text = kept if kept and not _untrue(kept, facts, labels) else ""
    if facts.label not in labels_in(text, labels):
        text = f"{text} {scores_sentence(facts.label)}".lstrip()
    return CheckedReason(text, None, tuple(dict.fromkeys(fault.why for fault in against)))


def _untrue(written: str, facts: Facts, labels: LabelSet) -> list[Fault]:
    return [fault for fault in faults(written, facts, labels) if fault.place is not None]


def contradictions(reason: str, facts: Facts, labels: LabelSet) -> list[str]:
    """All faults of a reason, each once and in a few words; [] if there are none."""
    return list(dict.fromkeys(fault.why for fault in faults(reason, facts, labels)))


def faults(reason: str, facts: Facts, labels: LabelSet) -> list[Fault]:
    """All faults of a reason."""
    found = []
    words = re.findall(r"[\w']+", reason.lower())
    if len(words) < LEAST_WORDS:
        found.append(Fault("too short"))
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if triples and len(set(triples)) / len(triples) < _LEAST_DISTINCT:
        found.append(Fault("repeats itself"))
    for place, sentence in enumerate(sentences(reason)):
        found += [Fault(why, place) for why in _of_sentence(sentence, facts, labels)]
    if not _grounded(reason, facts, labels):
        found.append(Fault("names no measured clue"))
    concluded = conclusion(reason, labels)
    if concluded is None:
        found.append(Fault("names no emotion"))
    elif facts.label not in labels_in(reason, labels):
        found.append(Fault("names another emotion", concluded[0]))
    elif concluded[1] != facts.label:
        found.append(Fault("concludes another emotion", concluded[0]))
    return found


def _of_sentence(sentence: str, facts: Facts, labels: LabelSet) -> Iterator[str]:
    clues = clues_in(sentence)
    if channels_in(sentence) - facts.channels:
        yield "tells of an absent channel"
    face, voice = ([c for c in clues if c.channel == name] for name in ("face", "voice"))
    measured = {*(facts.units or ()), *(facts.tone or ())}
    if any(c.denied and c.name in measured for c in clues):
        yield "denies what was measured"
    named = {c.name for c in face if not c.denied}
    true = supported(named, facts.units or ())
    if any(c.name not in true and not _else(c, face, true) for c in face if not c.denied):
        yield "names units that were not measured"
    if facts.tone is not None:
        tone = set(facts.tone)
        odd = [c for c in voice if not c.denied and c.name not in tone]
        odd = [c for c in odd if not _else(c, voice, tone)]
        opposed = [c for c in odd if OPPOSITE.get(c.name) in tone]
        if opposed:
            yield "says the opposite of the voice"
        if len(odd) > len(opposed):
            yield "names a clue of the voice that was not measured"
    if misplaced(sentence, facts.content):
        yield "says of one channel what is a clue of another"
    if any(facts.alone.get(c, facts.label) != facts.label for c in agreeing(sentence)):
        yield "says that channels agree that do not"
    looks = looks_in(sentence, labels)
    if looks and facts.looks and not looks <= facts.looks:
        yield "says another expression than the face's"
    elif looks and not facts.looks and facts.units is None:
        yield "names an expression that was not measured"
    if any(quoted_share(q, facts.text) < _LEAST_QUOTED for q in quotes_in(sentence)):
        yield "quotes what was not said"


def _else(clue: Clue, clues: Collection[Clue], true: Collection[str]) -> bool:
    """Whether the same words also name a clue that is true."""
    return any(
        c.name in true and not c.denied and c.start < clue.end and clue.start < c.end for c in clues
    )


def named_units(reason: str) -> frozenset[str]:
    """Units that a text affirms outside quotations."""
    return frozenset(c.name for c in clues_in(reason) if c.channel == "face" and not c.denied)


def tone_words_in(reason: str) -> set[str]:
    """Words for measures of the voice that a text affirms."""
    return {c.name for c in clues_in(reason) if c.channel == "voice" and not c.denied}


def supported(named: Collection[str], measured: Collection[str]) -> set[str]:
    """Named units that were measured; where prose cannot distinguish two units, either counts."""
    found = {u for u in named if u in measured}
    for pair in (_BROWS, _OPEN_MOUTH):
        if pair & set(measured):
            found |= pair & set(named)
    return found


def _grounded(reason: str, facts: Facts, labels: LabelSet) -> bool:
    """Whether a reason cites anything that was measured: a unit, a look, the voice, or words.

    Relaxed features are a clue where no unit is present.
    """
    if supported(named_units(reason), facts.units or ()):
        return True
    if tone_words_in(reason) & set(facts.tone or ()):
        return True
    if any(looks_in(s, labels) & facts.looks for s in sentences(reason)):
        return True
    if facts.units is not None and not facts.units and _STILL.search(reason.lower()):
        return True
    said = {w for w in re.findall(r"[\w']+", facts.text.lower()) if len(w) >= _LONG_WORD}
    told = set(re.findall(r"[\w']+", QUOTE.sub(r" \1 ", reason).lower()))
    return bool(said) and len(said & told) >= min(_LEAST_SHARED, len(said))
