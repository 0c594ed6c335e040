"""What is decided before anything is drawn: splits, channels, truth and reasons."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.probe import PHRASES, Settings, clues_in, rendered_clues
from emollama.probe.cast import SENTENCES, VOICES, sentences
from emollama.probe.emotions import EMOTIONS, FACE_UNITS, UNITS
from emollama.probe.plan import ClipPlan, plan_clip, split_sizes, truth
from emollama.probe.reasons import MAXIMUM_WORDS, MINIMUM_WORDS, reference_reason
from emollama.probe.vocabulary import level

SETTINGS = Settings(seed=3)


def plans(clips: int, settings: Settings = SETTINGS) -> list[ClipPlan]:
    return [plan_clip(settings, s, i) for s, n in split_sizes(clips).items() for i in range(n)]


@pytest.fixture(scope="module")
def many() -> list[ClipPlan]:
    return plans(3000)


def test_sizes_and_balance() -> None:
    assert split_sizes(600) == {"train": 300, "val": 60, "test": 240}
    for clips in (10, 11, 37, 600, 601):
        sizes = split_sizes(clips)
        assert sum(sizes.values()) == clips
        assert min(sizes.values()) > 0
    counts = Counter((p.split, p.intended) for p in plans(600))
    assert counts["train", "sad"] == 50
    assert counts["val", "sad"] == 10
    assert counts["test", "sad"] == 40
    with pytest.raises(EmollamaError, match="too few"):
        split_sizes(9)


def test_splits_share_no_voice_no_face_and_no_sentence(many: list[ClipPlan]) -> None:
    seen: dict[str, dict[str, set[str]]] = {}
    for plan in many:
        of = seen.setdefault(plan.split, {"timbre": set(), "face": set(), "sentence": set()})
        of["timbre"].add(plan.casting.voice.name.split("+")[1])
        of["face"].add(str(plan.casting.face))
        of["sentence"].add(plan.casting.sentence.text)
    for kind in ("timbre", "face", "sentence"):
        sets = [seen[split][kind] for split in ("train", "val", "test")]
        assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert len(seen["train"]["face"]) >= 30
    assert sum(len(v) for v in VOICES.values()) >= 12


def test_sentences_are_forty_an_emotion_distinct_and_short() -> None:
    lines = [
        sentence for emotion in EMOTIONS for split in SENTENCES for sentence in
        sentences(emotion, split)
    ]  # fmt: skip
    assert Counter(s.emotion for s in lines) == dict.fromkeys(EMOTIONS, 40)
    assert len({s.text.lower() for s in lines}) == len({s.sentence_id for s in lines}) == 240
    assert all(5 <= len(s.text.split()) <= 12 for s in lines)


def test_channels_show_the_label_with_their_own_probability_and_independently(
    many: list[ClipPlan],
) -> None:
    shown = np.array([[getattr(p, c) == p.intended for c in ("voice", "face", "words")]
                      for p in many])  # fmt: skip
    expected = (SETTINGS.shown_by_voice, SETTINGS.shown_by_face, SETTINGS.shown_by_words)
    assert shown.mean(axis=0) == pytest.approx(expected, abs=0.03)
    assert np.abs(np.corrcoef(shown.T) - np.eye(3)).max() < 0.06
    others = Counter(p.face for p in many if p.intended == "sad" and p.face != "sad")
    assert set(others) == set(EMOTIONS) - {"sad"}
    assert all(p.casting.sentence.emotion == p.words for p in many)


def test_a_clip_depends_on_seed_split_and_index_alone() -> None:
    small, large = {p.clip_id: p for p in plans(30)}, {p.clip_id: p for p in plans(300)}
    assert all(large[name] == plan for name, plan in small.items())
    assert plan_clip(Settings(4), "train", 0) != plan_clip(SETTINGS, "train", 0)
    quiet = plan_clip(Settings(3, face_noise=0.0), "test", 8)
    assert set(FACE_UNITS[quiet.face]) == {unit for unit, v in quiet.units.items() if v > 0}


def test_truth_holds_the_realised_units_and_prosody(many: list[ClipPlan]) -> None:
    for plan in many[:200]:
        known = truth(plan, SETTINGS)
        assert set(known["face_units"]) == set(UNITS)
        assert all(0 <= v <= 1 for v in known["face_units"].values())
        for name, value in known["prosody_values"].items():
            assert known["prosody"][name] == level(name, value)
    assert level("pitch", 2.5) == "high"
    assert level("rate", -0.2) == "slow"
    assert level("range", 0.1) == "normal"


def test_reasons_tell_only_what_was_rendered_and_end_in_the_label(many: list[ClipPlan]) -> None:
    texts = []
    for plan in many:
        known = truth(plan, SETTINGS)
        text = reference_reason(known, plan.intended, plan.drawing)
        assert text == reference_reason(known, plan.intended, plan.drawing)
        assert MINIMUM_WORDS <= len(text.split()) <= MAXIMUM_WORDS
        assert text.endswith(f" {plan.intended}.")
        named = clues_in(text)
        assert named <= rendered_clues(known)
        assert {f"words={plan.words}"} < named
        texts.append(text)
    assert len(set(texts)) > 0.95 * len(texts)


def test_a_reason_of_another_clip_is_found_out(many: list[ClipPlan]) -> None:
    known = [truth(plan, SETTINGS) for plan in many[:300]]
    named = [clues_in(reference_reason(t, p.intended, p.drawing))
             for t, p in zip(known, many, strict=False)]  # fmt: skip
    rendered = [rendered_clues(t) for t in known]
    elsewhere = [len(n & r) / len(n) for n, r in zip(named, rendered[7:], strict=False)]
    assert np.mean(elsewhere) < 0.6


def test_phrases_are_distinct_and_found_in_text() -> None:
    assert len(set(PHRASES.values())) == len(PHRASES)
    for clue, phrase in PHRASES.items():
        assert clues_in(f"There is {phrase.upper()}, one\nsees.") == {clue}
    assert clues_in("The high pitch and THE WRINKLED  nose.") == {"pitch=high", "AU9"}
    assert clues_in("a highpitched sound") == set()


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(EmollamaError, match="shown_by_face"):
        Settings(1, shown_by_face=1.2)
    with pytest.raises(EmollamaError, match="voice_noise"):
        Settings(1, voice_noise=-1)
    with pytest.raises(EmollamaError, match="seed"):
        Settings(-1)
