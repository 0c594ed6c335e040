"""Twins: what counts as following a change, and the pairs of the probe corpus."""

from __future__ import annotations

import json

import pytest

from emollama.base.errors import EmollamaError
from emollama.evaluation.known_clues import KNOWN_CLUES
from emollama.probe.cast import FACES, SENTENCES, VOICES
from emollama.probe.emotions import EMOTIONS
from emollama.probe.plan import Settings
from emollama.probe.twins import CUES, plan_twins, twin_truth
from emollama.probe.vocabulary import PROSODY_THRESHOLDS, rendered_clues
from emollama.scoring.metrics.twins import twins
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.report.reason_tables import twin_tables
from emollama.scoring.report.report import plain

SETTINGS = Settings(seed=7)
NAMED = KNOWN_CLUES["probe"].named_in


def row(pair: str, side: str, clues: str, reason: str, label: str = "sad") -> Prediction:
    return Prediction(
        id=f"{pair}-{side}", label=label, reference="sad", reason=reason,
        clues=tuple(clues.split()), pair=pair, differs="pitch",
    )  # fmt: skip


def test_a_change_is_followed_when_it_is_mentioned_or_its_mention_dropped() -> None:
    low, loud = "a low pitch", "a loud voice"
    a, b = "pitch=low loudness=loud", "loudness=loud"
    rows = [
        row("dropped", "a", a, f"{low} and {loud}"), row("dropped", "b", b, loud),
        row("kept", "a", a, low), row("kept", "b", b, low),
        row("mentioned", "a", b, loud), row("mentioned", "b", a, f"{low}, fast speech"),
        row("wrong way", "a", a, loud), row("wrong way", "b", b, f"{low} and {loud}", "happy"),
    ]  # fmt: skip
    found = twins({"model": rows}, NAMED, seed=1, resamples=50)
    assert found is not None
    own = found.reasons["model"]
    assert own.recall.value == 2 / 4
    # Loud in both; nothing beside the pitch; loud against fast; loud in both.
    assert own.specificity.value == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert found.kinds["pitch"].value == own.recall.value
    assert found.labels["model"].value == 1 / 4
    assert found.shuffled is not None and found.difference is not None


def test_a_clip_without_its_twin_is_left_out_and_counted() -> None:
    """One clip that cannot be read, or `data.limit`, must not cost the whole report."""
    low, loud = "pitch=low", "loudness=loud"
    whole = [row(p, s, c, "a low pitch") for p in "pq" for s, c in (("a", low), ("b", loud))]
    lone = row("r", "a", low, "a low pitch")
    found = twins({"model": [*whole, lone]}, NAMED, resamples=50)
    assert found is not None
    score, label = found.reasons["model"].recall, found.labels["model"]
    assert (score.n_scored, score.n_total) == (label.n_scored, label.n_total) == (2, 3)
    *_, table = twin_tables(json.loads(json.dumps(plain(found))))
    assert table.note.startswith("2 of 3 pairs")
    assert twins({"model": [lone]}, NAMED, resamples=50) is None
    with pytest.raises(EmollamaError, match="pair 'p' has 3 clips"):
        twins({"model": [*whole, row("p", "c", low, "")]}, NAMED, resamples=50)
    assert twins({"model": [Prediction(id="x", label="sad")]}, NAMED, resamples=50) is None


def test_the_voice_is_read_in_words_of_measured_clues() -> None:
    told = "Compared with the training corpus, the voice has a low pitch and a loud sound."
    assert NAMED(told) == {"pitch=low", "loudness=loud"}


def test_planned_twins_differ_in_one_cue_that_is_clearly_seen_or_heard() -> None:
    for index in range(3 * len(CUES) * len(EMOTIONS)):
        a, b = plan_twins(SETTINGS, "test", index)
        one, two = (twin_truth(p, SETTINGS) for p in (a, b))
        differing = {k for k in one if one[k] != two[k]}
        changed = rendered_clues(one) ^ rendered_clues(two)
        assert (one["pair"], one["differs"]) == (two["pair"], two["differs"])
        if a.cue in PROSODY_THRESHOLDS:
            assert differing == {"prosody", "prosody_values"}
            assert {c.split("=")[0] for c in changed} <= {a.cue, "voice"}
        elif a.cue == "words":
            assert differing == {"words", "sentence_id"}
        else:
            assert differing == {"face_units"}
            assert a.cue in changed and changed <= {a.cue, "face=still"}
        assert changed
        assert a.clip.intended == b.clip.intended
        assert a.clip.casting.face in FACES["test"]
        assert a.clip.casting.voice in VOICES["test"]
        assert int(one["sentence_id"].split("-")[1]) in SENTENCES["test"]


def test_pairs_balance_cues_and_emotions() -> None:
    count = len(CUES) * len(EMOTIONS)
    pairs = [plan_twins(SETTINGS, "train", k)[0] for k in range(count)]
    cues = [p.cue if p.cue in CUES else "unit" for p in pairs]
    assert len({(c, p.clip.intended) for c, p in zip(cues, pairs, strict=True)}) == count
    assert len({p.clip.drawing for p in pairs}) == count
