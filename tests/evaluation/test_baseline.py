from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from emollama.base.errors import EmollamaError
from emollama.encoders.base import FeatureTrack
from emollama.evaluation.baseline import STRENGTHS, FeatureMatrix, baseline_predictions, pool_tracks
from emollama.manifest.sample import Sample, Targets
from emollama.scoring.metrics.scores import evaluate
from emollama.scoring.predictions.prediction import channel_sets
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions
from emollama.scoring.predictions.systems import CHANCE, JOINT, LATE, MAJORITY
from tests.scoring.made import MER2023, of_split, samples_with_features


def _run(samples, features, validation=True, **options):
    parts = [of_split(samples, s) for s in ("train", "test", "val")]
    return baseline_predictions(features, MER2023, *parts[: 3 if validation else 2], **options)


def _score(rows, system, channels=("voice", "face", "words"), metric="uar"):
    chosen = [p for p in rows if p.system == system and p.channels == tuple(channels)]
    return evaluate(chosen, MER2023, resamples=2)[metric].value


def test_every_channel_set_is_answered_and_fusion_helps(tmp_path):
    samples, features = samples_with_features(720)
    result = _run(samples, features)
    rows = result.predictions
    # 7 joint, 4 late, majority and chance, each for 240 test clips.
    assert len(rows) == 13 * 240
    singles = [_score(rows, JOINT, [c]) for c in ("voice", "face", "words")]
    assert _score(rows, JOINT) > max(singles) + 0.1
    assert _score(rows, LATE) > max(singles) + 0.1
    assert _score(rows, MAJORITY, ()) == pytest.approx(1 / 6)
    assert 0.08 < _score(rows, CHANCE, ()) < 0.26
    chance = _score(rows, CHANCE, (), metric="nll")
    assert chance == pytest.approx(np.log(6), abs=1e-4)
    assert _score(rows, JOINT, metric="nll") < chance
    assert set(result.settings) == {
        f"{JOINT}: {' + '.join(s)}" for s in channel_sets(("voice", "face", "words"))
    }
    path = tmp_path / "baseline.jsonl"
    write_predictions(path, Header(labels=MER2023, settings=result.settings), rows)
    assert read_predictions(path).systems() == [JOINT, LATE, MAJORITY, CHANCE]


def test_repeats_exactly_and_test_clips_do_not_matter_to_each_other():
    samples, features = samples_with_features(240)
    first, again = _run(samples, features), _run(samples, features)
    assert first == again
    fewer = [s for s in samples if s.split != "test"] + of_split(samples, "test")[:7]
    by_key = {(p.id, p.channels, p.system): p for p in first.predictions}
    for p in _run(fewer, features).predictions:
        assert p.scores == pytest.approx(by_key[p.id, p.channels, p.system].scores, abs=1e-5)


def test_fewer_sets_leave_the_other_rows_as_they_are():
    samples, features = samples_with_features(180)
    every = _run(samples, features)
    assert {len(p.channels) for p in every.predictions} == {0, 1, 2, 3}
    for largest, sizes in ((1, {0, 1, 3}), (0, {0, 3})):
        some = _run(samples, features, largest=largest)
        assert some.predictions == [p for p in every.predictions if len(p.channels) in sizes]


def test_the_strength_is_that_of_the_lowest_loss():
    samples, features = samples_with_features(120)
    train, held = of_split(samples, "train"), of_split(samples, "val")
    result = _run(samples, {"voice": features["voice"]})
    voice = features["voice"][0].values
    split = np.array([s.split for s in samples])
    scaler = StandardScaler().fit(voice[split == "train"])
    losses = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=5000)
        model.fit(scaler.transform(voice[split == "train"]), [s.targets.emotion for s in train])
        found = model.predict_log_proba(scaler.transform(voice[split == "val"]))
        gold = [list(model.classes_).index(s.targets.emotion) for s in held]
        losses.append(-found[np.arange(len(held)), gold].sum())
    assert result.settings[f"{JOINT}: voice"].startswith(f"C={STRENGTHS[np.argmin(losses)]:g} ")


def test_the_rotation_changes_nothing():
    # More columns than training samples: fitted in the rotated space, equal to the plain fit.
    samples, features = samples_with_features(120)
    rng = np.random.default_rng(1)
    matrix = features["voice"][0]
    wide = np.concatenate([matrix.values, rng.normal(size=(120, 100))], axis=1)
    result = _run(samples, {"voice": [FeatureMatrix("wide", matrix.ids, wide, matrix.present)]})
    strength = float(result.settings[f"{JOINT}: voice"].split()[0].removeprefix("C="))
    split = np.array([s.split for s in samples])
    scaler = StandardScaler().fit(wide[split == "train"])
    plain = LogisticRegression(C=strength, max_iter=5000, tol=1e-8).fit(
        scaler.transform(wide[split == "train"]),
        [s.targets.emotion for s in of_split(samples, "train")],
    )
    expected = plain.predict_proba(scaler.transform(wide[split == "test"]))
    got = [p for p in result.predictions if p.system == JOINT]
    for p, row in zip(got, expected, strict=True):
        assert p.scores == pytest.approx(dict(zip(plain.classes_, row, strict=True)), abs=2e-3)


def test_what_stands_in_an_absent_row_does_not_matter():
    samples, features = samples_with_features(240)
    face = features["face"][0]
    assert not face.present.all()
    junk = face.values.copy()
    junk[~face.present] = np.nan
    changed = {**features, "face": [FeatureMatrix("face", face.ids, junk, face.present)]}
    assert _run(samples, features) == _run(samples, changed)


def test_validation_is_not_needed_and_groups_stay_whole():
    samples, features = samples_with_features(180)
    result = _run(samples, {"voice": features["voice"]}, validation=False, folds=3)
    assert "grouped cross-validation in 3 folds" in result.settings[f"{JOINT}: voice"]
    assert _score(result.predictions, JOINT, ["voice"]) > 0.3


@pytest.mark.parametrize("each", [1, 2, 3])
def test_few_clips_are_no_traceback(each: int) -> None:
    """Fewer of every label than folds: fewer folds, or a strength that is not chosen, and said."""
    samples, features = samples_with_features(180)
    train = []
    for label in MER2023.labels:
        train += [s for s in of_split(samples, "train") if s.targets.emotion == label][:each]
    test = of_split(samples, "test")
    result = baseline_predictions({"voice": features["voice"]}, MER2023, train, test)
    note = result.settings[f"{JOINT}: voice"]
    if each == 1:
        assert note.startswith("C=0.01, not chosen: too few training samples")
    else:
        assert f"in {each} folds" in note
    assert all(sum((p.scores or {}).values()) == pytest.approx(1, abs=1e-3)
               for p in result.predictions)  # fmt: skip


@dataclass
class MadeTracks:
    tracks: dict[str, np.ndarray | None]
    width: int = 2

    def get(self, id: str) -> FeatureTrack | None:
        if id not in self.tracks:
            raise EmollamaError(f"'{id}' is missing")
        values = self.tracks[id]
        return None if values is None else FeatureTrack(values, np.arange(len(values)))


def test_pool_tracks():
    tracks = MadeTracks({"a": np.array([[0, 1], [2, 1]], dtype=np.float32), "b": None})
    pooled = pool_tracks("x", tracks, ["b", "a"], deviation=True)
    assert pooled.present.tolist() == [False, True]
    assert pooled.values[1].tolist() == [1, 1, 1, 0]
    assert np.isnan(pooled.rows(["b"])).all()
    assert pool_tracks("x", tracks, ["a"]).values.tolist() == [[1, 1]]
    with pytest.raises(EmollamaError, match="'c' is missing"):
        pool_tracks("x", tracks, ["c"])


def test_mistakes_are_one_line():
    ones = np.ones((2, 1))
    present = np.array([True, True])
    with pytest.raises(EmollamaError, match="features 'x': id 'b' has NaN"):
        FeatureMatrix("x", ("a", "b"), np.array([[1.0], [np.nan]]), present)
    with pytest.raises(EmollamaError, match="do not match"):
        FeatureMatrix("x", ("a",), ones, present)
    matrix = FeatureMatrix("x", ("a", "b"), ones, present)
    made = [Sample(id=i, targets=Targets(emotion=e)) for i, e in (("a", "sad"), ("c", "happy"))]
    with pytest.raises(EmollamaError, match="features 'x': id 'c' is not among them"):
        baseline_predictions({"voice": [matrix]}, MER2023, made, made)
    with pytest.raises(EmollamaError, match="fewer than two emotions"):
        baseline_predictions({"voice": [matrix]}, MER2023, made[:1], made)
    absent = FeatureMatrix("x", ("a", "c"), ones, ~present)
    with pytest.raises(EmollamaError, match="'x': no training sample has them"):
        baseline_predictions({"voice": [absent]}, MER2023, made, made)
