from __future__ import annotations

import pytest

from emollama.evaluation.baseline import baseline_predictions
from emollama.scoring.metrics.scores import evaluate
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions
from emollama.scoring.predictions.systems import JOINT, LATE
from emollama.scoring.report.modality import channel_conflicts, modality_report

from .made import MER2023, of_split, samples_with_features


def test_report_of_all_channel_sets():
    samples, features = samples_with_features(720)
    train, val, test = (of_split(samples, s) for s in ("train", "val", "test"))
    result = baseline_predictions(features, MER2023, train, test, val)
    model = [
        p.model_copy(update={"system": "model"}) for p in result.predictions if p.system == JOINT
    ]
    predictions = Predictions(Header(labels=MER2023), (*result.predictions, *model))
    report = modality_report(predictions, ["model", JOINT, LATE], "uar", resamples=200)
    assert [len(r.channels) for r in report.rows] == [1, 1, 1, 2, 2, 2, 3]
    assert all(r.gain.value == 0 and r.gain.p == 1 for r in report.rows)
    assert set(report.rows[0].scores) == {"model", JOINT}
    assert set(report.rows[-1].scores) == {"model", JOINT, LATE}
    all_channels = evaluate(predictions.select(["voice", "face", "words"]), MER2023, resamples=2)
    assert report.rows[-1].scores["model"].value == all_channels["uar"].value
    gain = report.fusion_gain["model"]
    assert gain.a == "voice + face + words" and gain.difference.ci_low > 0
    best = max(r.scores["model"].value for r in report.rows[:3])
    value = report.rows[-1].scores["model"].value
    assert gain.difference.value == pytest.approx(value - best)
    assert "late fusion" not in report.fusion_gain, "it has no single channels"
    assert [c.system for c in report.conflicts] == ["model", JOINT, LATE]


def _row(i, label, reference="sad", **truth):
    failure = None if label else "two labels"
    return Prediction(
        id=str(i), reference=reference, label=label, parse_failure=failure, truth=truth
    )


def test_whom_the_answer_follows():
    agree = {"voice": "sad", "face": "sad", "words": "sad"}
    lone_words = {**agree, "words": "happy"}
    rows = [
        _row(0, "sad", **agree),
        _row(1, "sad", **lone_words),
        _row(2, "happy", **lone_words),
        _row(3, "angry", **lone_words),
        _row(4, None, voice="angry", face="happy", words="sad"),
        _row(5, "angry", voice="angry", face="happy", words="sad"),
        _row(6, "sad", voice="angry"),
    ]
    found = channel_conflicts(rows, MER2023, resamples=50)
    assert {c: s.value for c, s in found.followed.items()} == pytest.approx(
        {"voice": 2 / 5, "face": 1 / 5, "words": 1 / 5}
    )
    assert found.none.value == pytest.approx(2 / 5)
    assert {c: s.value for c, s in found.intended.items()} == pytest.approx(
        {"voice": 3 / 5, "face": 3 / 5, "words": 2 / 5}
    )
    assert (found.none.n_scored, found.none.n_total, found.none.parse_failures) == (5, 6, 1)
    (lone,) = found.lone
    assert lone.channel == "words" and lone.followed_it.n_scored == 3
    assert lone.followed_it.value == lone.followed_others.value == pytest.approx(1 / 3)


def test_no_conflict_no_table():
    assert channel_conflicts([_row(0, "sad", voice="sad", face="sad")], MER2023) is None
    assert channel_conflicts([_row(0, "sad")], MER2023) is None
    assert channel_conflicts([_row(0, "sad", voice="sad")], MER2023) is None
    assert channel_conflicts([], MER2023) is None


def test_shares_are_drawn_by_group_where_scores_are():
    clash = {"voice": "sad", "face": "happy"}
    rows = [
        _row(f"{g}-{i}", "sad" if g % 2 else "happy", **clash).model_copy(
            update={"group": f"g{g}", "channels": ("voice", "face")}
        )
        for g in range(8)
        for i in range(10)
    ]
    alone, whole = (channel_conflicts(rows, MER2023, by=by).none for by in ("sample", "group"))
    assert alone == whole, "nobody follows neither"
    by_sample, by_group = (
        channel_conflicts(rows, MER2023, by=by).followed["voice"] for by in ("sample", "group")
    )
    assert by_sample.value == by_group.value == 0.5
    width = by_sample.ci_high - by_sample.ci_low
    assert by_group.ci_high - by_group.ci_low > 2 * width
