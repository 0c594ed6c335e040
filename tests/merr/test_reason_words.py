"""Reasons by the template: true, varied, with the time of the peak, none twice."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import pytest

from emollama.llm.clues import MORE_VOICE_RULES
from emollama.manifest.labels import get_label_set
from emollama.merr.measure.names import EXPRESSION_PREFIX
from emollama.merr.phrases import tone_words
from emollama.merr.reason_words import varied_caption, varied_reason
from emollama.merr.refine import evidence_of
from emollama.merr.rules import NEUTRAL
from emollama.scoring.reasons.check import contradictions
from emollama.scoring.reasons.claims import sentences

LABELS = get_label_set("merr")
UNITS = ["AU01", "AU04", "AU05", "AU06", "AU09", "AU12", "AU15", "AU17", "AU20", "AU23", "AU26"]
SAID = ("", "We won the prize, this is wonderful.", 'I lost everything. He said "go" and left!')


def clips(count: int, expressions: bool) -> list[tuple[str, Any, Any, Any, str]]:
    """Rows of many clips with few different clues, drawn at random."""
    draw = random.Random(7)
    found = []
    for i in range(count):
        label, face, voice, words = draw.choices(LABELS.labels, k=4)
        if not expressions:
            face = draw.choice((face, label))
        signs = [EXPRESSION_PREFIX + face] if expressions else draw.sample(UNITS, draw.randrange(4))
        relative = {r.column: draw.choice((-1.0, 0.0, 0.0, 1.0)) for r in MORE_VOICE_RULES}
        tone = tone_words(relative) if draw.random() < 0.7 else []
        said = draw.choice(SAID)
        emotion = {
            "label": label, "signs": signs,
            "channels": {"face": face, "voice": voice if i % 5 else None,
                         "words": words if said and i % 3 else None},
        }  # fmt: skip
        peak = {"time": draw.randrange(40) / 10, "signs": dict.fromkeys(signs, 1.0)}
        heard = {"words": tone, "text": "heard" if i % 5 else ""}
        found.append((f"clip-{i:04d}", emotion, peak, heard, said))
    return found


@pytest.mark.parametrize("expressions", [True, False])
def test_reasons_are_true_and_none_is_given_twice(expressions: bool) -> None:
    rows = clips(200, expressions)
    reasons, faults = [], Counter[str]()
    for name, emotion, peak, tone, said in rows:
        reason = varied_reason(name, emotion, peak, tone, said, "the other clips")
        known = evidence_of(emotion, peak, tone, {"text": said})
        wrong = contradictions(reason, known, LABELS)
        faults.update(f"{why}: {reason}" for why in wrong)
        assert f"{peak['time']:.1f} s" in reason, reason
        reasons.append(reason)
    assert not faults, faults.most_common(4)
    told = Counter(sentence for reason in reasons for sentence in sentences(reason))
    assert told.most_common(1)[0][1] == 1
    openings = Counter(" ".join(reason.split()[:3]) for reason in reasons)
    assert openings.most_common(1)[0][1] < 0.2 * len(reasons)


@pytest.mark.parametrize("expressions", [True, False])
def test_captions_are_true_and_none_is_given_twice(expressions: bool) -> None:
    captions, faults = [], Counter[str]()
    for i, (name, emotion, peak, tone, said) in enumerate(clips(200, expressions)):
        seconds = 4 + i % 30 / 10
        caption = varied_caption(name, seconds, emotion, peak, tone, said, "the other clips")
        known = evidence_of(emotion, peak, tone, {"text": said})
        faults.update(f"{why}: {caption}" for why in contradictions(caption, known, LABELS)
                      if "emotion" not in why)  # fmt: skip
        assert f"{peak['time']:.1f} s" in caption and f"{seconds:.1f} s" in caption
        assert caption[0].isupper() or caption[0].isdecimal()
        captions.append(caption)
    assert not faults, faults.most_common(4)
    told = Counter(sentence for caption in captions for sentence in sentences(caption))
    assert told.most_common(1)[0][1] == 1
    openings = Counter(re.sub(r"[\d.]+", "0", caption)[:9] for caption in captions)
    assert openings.most_common(1)[0][1] < 0.25 * len(captions)


def test_a_reason_reads_as_english() -> None:
    emotion = {"label": "surprise", "signs": ["looks surprise"],
               "channels": {"face": "surprise", "voice": NEUTRAL, "words": None}}  # fmt: skip
    peak = {"time": 0.1, "signs": {"looks surprise": 2.0}}
    tone = {"words": [], "text": "heard"}
    found = varied_reason("06-01-04_01", emotion, peak, tone, "", "this speaker's other clips")
    assert "0.1 s" in found and "looks surprised" in found and "neutral" in found
    assert found[0].isupper() and found.endswith(".") and ".." not in found


def test_merr_and_predict_have_the_same_words_for_a_voice() -> None:
    """The issue: predict said "sharp timbre" of clips of which merr knew no timbre."""
    relative = {"f0_mean": 1.0, "brightness": 0.9, "energy_mean": -0.5, "pause_fraction": -0.7}
    assert tone_words(relative) == ["high pitch", "sharp timbre", "few pauses"]
