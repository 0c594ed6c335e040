"""Temperature and conformal sets: by hand, for people, and where there is too little to fit on."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.scoring.calibration.calibration import (
    Calibration,
    ChannelCalibration,
    read_calibration,
    write_calibration,
)
from emollama.scoring.calibration.conformal import (
    label_sets,
    oddness,
    people_needed,
    require_coverage,
    threshold,
    undecided,
)
from emollama.scoring.calibration.fitting import fit_calibration
from emollama.scoring.calibration.temperature import COLDEST, fit_temperature, tempered
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import (
    Header,
    Predictions,
    read_predictions,
    write_predictions,
)

from .made import MER2023, random_predictions

ABC = LabelSet("made", ("a", "b", "c"))
HEADER = Header(labels=ABC, corpus="made", split="val")
RESULTS = Path(__file__).parents[2] / "results"


def row(number: int, truth: str | None, scores: tuple[float, ...], group: str | None) -> Prediction:
    named = dict(zip(ABC.labels, scores, strict=True))
    best = max(named, key=lambda x: named[x])
    return Prediction(
        id=f"{number:03d}", reference=truth, label=best, scores=named, group=group,
        channels=("voice",),
    )  # fmt: skip


def people_of(*groups: str | None) -> Predictions:
    """Four clips of each group; the third label is nobody's."""
    scores = [(0.7, 0.2, 0.1), (0.3, 0.6, 0.1), (0.5, 0.3, 0.2), (0.2, 0.7, 0.1)]
    rows = [
        row(4 * i + k, "abbb"[k], scores[k], group)
        for i, group in enumerate(groups)
        for k in range(4)
    ]
    return Predictions(HEADER, tuple(rows), sha256="0" * 64)


def run(*words: Any) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_temperature_by_hand() -> None:
    # Always 0.8 sure and right three times of four: 4^(1/T) must be 3.
    scores = np.array([[0.8, 0.2]] * 4)
    truth = np.array([[True, False]] * 3 + [[False, True]])
    temperature = fit_temperature(scores, truth)
    assert temperature == pytest.approx(math.log(4) / math.log(3), rel=1e-6)
    assert tempered(scores, temperature)[0] == pytest.approx([0.75, 0.25], rel=1e-6)
    assert fit_temperature(scores, truth[[0] * 4]) == pytest.approx(COLDEST)
    assert tempered(np.array([[1.0, 0.0]]), 2.0).sum() == pytest.approx(1)


def test_oddness_by_hand() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]])
    assert oddness(p, "simple") == pytest.approx(1 - p)
    assert oddness(p, "adaptive") == pytest.approx(np.array([[0, 0.5, 0.8], [0, 0, 0.8]]))
    assert label_sets(p, "simple", 0.7).tolist() == [[True, True, False]] * 2
    assert label_sets(p, "adaptive", 0.1).tolist() == [[True, False, False], [True, True, False]]
    # A set is never empty, and more than half of three labels is two.
    assert label_sets(p, "simple", 0.0).sum(axis=1).tolist() == [1, 1]
    assert undecided(label_sets(p, "simple", 0.7)).all()
    assert not undecided(np.array([[True, True, False, False]])).any()


def test_the_quantile_by_hand() -> None:
    assert [people_needed(c) for c in (0.5, 0.8, 0.9, 0.95)] == [2, 8, 18, 38]
    # Two people weigh 1/3 each, whatever their clips: 1/9, 2/9, 3/9, then 6/9 with the second's.
    two = [[0.3, 0.1, 0.2], [0.4]]
    assert threshold(two, 0.5) == 0.4 and threshold(two, 0.33) == 0.3
    assert threshold(two, 0.22) == 0.2
    # One clip each: of 18 people the 18th reaches 18/19, the 17th 17/19, which is below 0.9.
    assert threshold([[i / 20] for i in range(1, 19)], 0.9) == 0.9
    assert threshold([[i / 20] for i in range(1, 19)], 17 / 19) == 0.85
    assert threshold([[i / 10] for i in range(1, 10)], 0.8) == 0.8
    # Fewer: each one's ceil((n + 1) 0.9)-th clip, the highest of which is taken.
    ten, twenty = [i / 100 for i in range(10)], [i / 100 for i in range(20)]
    assert threshold([ten], 0.9) == 0.09
    assert threshold([twenty], 0.9) == 0.18
    assert threshold([ten, twenty], 0.9) == 0.18
    assert threshold([[0.5, 0.1]], 0.9) == 0.5


@pytest.mark.parametrize("people", [1, 2, 4, 9, 20])
def test_a_lower_coverage_never_gives_larger_sets(people: int) -> None:
    draw = np.random.default_rng(people)
    odd = [draw.random(draw.integers(1, 40)).tolist() for _ in range(people)]
    limits = [threshold(odd, c) for c in np.linspace(0.01, 0.99, 99)]
    assert limits == sorted(limits)


def test_people_who_differ_are_covered_as_promised() -> None:
    draw = np.random.default_rng(0)
    clips = np.abs(draw.normal(size=(400, 19, 1)) + 0.3 * draw.normal(size=(400, 19, 15)))
    found = [np.mean(one[18] <= threshold(one[:18].tolist(), 0.9)) for one in clips]
    assert 0.9 <= np.mean(found) <= 0.99
    # Clips pooled as if they were of nobody fall short with few people.
    pooled = [np.mean(one[18] <= np.quantile(one[:4], 0.9)) for one in clips]
    assert np.mean(pooled) < 0.87
    few = [np.mean(one[18] <= threshold(one[:4].tolist(), 0.9)) for one in clips]
    assert np.mean(np.array(few) >= 0.8) >= 0.8


def test_a_person_with_many_clips_weighs_as_much_as_any() -> None:
    odd = [[0.9] * 3, *[[0.1] * 30 for _ in range(17)]]
    assert threshold(odd, 0.9) == 0.9  # 3 of 513 clips, but one person of 18
    assert threshold(odd, 0.8) == 0.1


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 2.0, math.nan, math.inf])
def test_a_coverage_that_is_no_share(coverage: float) -> None:
    with pytest.raises(EmollamaError, match="coverage must be between 0 and 1") as refused:
        require_coverage(coverage)
    assert "\n" not in str(refused.value)


def test_fitting_and_reading_back(tmp_path: Path) -> None:
    found = fit_calibration(people_of("x", "y", "z"))
    (one,) = found.sets
    assert one.channels == ("voice",) and one.clips == 12 and [*map(len, one.people)] == [4, 4, 4]
    assert one.unseen == ("c",) and one.left_out is not None
    assert one.left_out.coverage == one.left_out.lowest == 1
    assert "18 people are needed, 3 were" in one.promise(0.9)
    assert "promised on average over new people like the 3" in one.promise(0.6)
    write_calibration(tmp_path / "calibration.json", found)
    assert read_calibration(tmp_path, ("c", "b", "a")) == found
    assert found.of(("voice",)) is one and found.of(("face",)) is None
    # Nobody's name goes with the model.
    assert "group" not in (tmp_path / "calibration.json").read_text()
    with pytest.raises(EmollamaError, match=r"is of the labels a, b, c, the model has a, b; "):
        read_calibration(tmp_path, ("a", "b"))


def test_one_person() -> None:
    (one,) = fit_calibration(people_of("x")).sets
    assert one.left_out is None and one.oddness == "simple"
    assert "one person: nothing is known of others" in one.promise(0.9)
    assert one.sets(np.array([[0.5, 0.3, 0.2]]), 0.9).any()


def test_people_by_manifest_or_not_at_all() -> None:
    with pytest.raises(EmollamaError, match=r"id '000': has no group .*--manifest"):
        fit_calibration(people_of(None))
    named = {f"{i:03d}": "x" if i < 4 else "y" for i in range(8)}
    held = people_of(None, None)
    assert len(fit_calibration(held, named).sets[0].people) == 2
    del named["005"]
    with pytest.raises(EmollamaError, match=r"id '005': .*manifest names nobody"):
        fit_calibration(held, named)


def test_nothing_to_fit_on() -> None:
    held = people_of("x")
    rows = tuple(r.model_copy(update={"scores": None}) for r in held.rows)
    with pytest.raises(EmollamaError, match="needs rows with a reference and scores"):
        fit_calibration(replace(held, rows=rows))


def test_scores_that_are_not_finite() -> None:
    (one,) = fit_calibration(people_of("x", "y")).sets
    with pytest.raises(EmollamaError, match="must be finite"):
        one.sets(np.array([[math.nan, 0.5, 0.5]]), 0.9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "is not a calibration of version 1"),
        ({"sets": []}, "'sets'"),
        ({"temperature": math.nan}, "'sets.0.temperature'"),
        ({"temperature": 0}, "'sets.0.temperature'"),
        ({"people": [[0.1, math.nan]]}, "'sets.0.people.0.1'"),
        ({"people": [[]]}, "holds a person without clips"),
        ({"oddness": "odd"}, "'sets.0.oddness'"),
    ],
)
def test_a_spoilt_file_is_one_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    values = fit_calibration(people_of("x", "y")).model_dump(mode="json")
    part = values if set(change) <= set(values) else values["sets"][0]
    part.update(change)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(values))
    with pytest.raises(EmollamaError) as refused:
        read_calibration(path)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_the_commands(tmp_path: Path) -> None:
    held, other, made = (tmp_path / name for name in ("held.jsonl", "other.jsonl", "made.json"))
    header = Header(labels=MER2023, corpus="made", split="val")
    rows = random_predictions(240, unparsed=0)
    write_predictions(held, header, [r.model_copy(update={"group": None}) for r in rows])
    samples = [
        Sample(id=r.id, text="x", speaker=r.group, targets=Targets(emotion=r.reference))
        for r in rows
    ]
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, "made", MER2023, samples)
    words = ("calibrate", "--predictions", held, "--manifest", manifest, "--out", made)
    assert "80% coverage is promised" in run(*words, "--coverage", 0.8)
    assert "90% coverage is not promised" in run(*words)
    theirs = [r.model_copy(update={"id": f"new{r.id}"}) for r in random_predictions(240, seed=1)]
    write_predictions(other, header, theirs)
    score = ("score", other, "--calibration", made, "--bootstrap", 100, "--format", "json")
    result = json.loads(run(*score))
    assert result["bootstrap"]["by"] == "group"
    found = {r["metric"]: r for r in result["results"]}
    assert 0.85 <= found["coverage"]["value"] <= 1 and len(found["coverage"]["detail"]["by_group"])
    assert found["coverage"]["ci_low"] <= found["coverage"]["value"] <= found["coverage"]["ci_high"]
    assert 1 <= found["set_size"]["value"] <= 6 and 0 <= found["abstained"]["value"] <= 1
    assert {"nll", "nll_calibrated", "ece", "ece_calibrated"} <= set(found)
    less = json.loads(run(*score, "--coverage", 0.5, "--metric", "set_size"))["results"][0]
    assert less["value"] < found["set_size"]["value"]

    for wrong, said in (
        (("score", held, "--calibration", made), "was fitted on these predictions"),
        (("score", other, "--coverage", 0.9), "--coverage needs --calibration"),
        (("score", other, "--metric", "coverage"), "need --calibration FILE"),
        (("score", other, "--calibration", made, "--coverage", 1), "between 0 and 1"),
        (("calibrate", "--predictions", held), "give the folder of the MODEL"),
        (("calibrate", "--predictions", held, "--out", made, "--coverage", 2), "between 0 and 1"),
        (("calibrate", "--predictions", held, "--out", made), "name them with --manifest"),
    ):
        with pytest.raises(EmollamaError) as refused:
            run(*wrong)
        assert said in str(refused.value) and "\n" not in str(refused.value)


def test_channels_that_were_not_calibrated(tmp_path: Path) -> None:
    one = ChannelCalibration(
        channels=("face",), temperature=1, oddness="simple", people=((0.1,),)
    )  # fmt: skip
    path = tmp_path / "calibration.json"
    write_calibration(path, Calibration(labels=ABC.labels, sets=(one,)))
    write_predictions(tmp_path / "p.jsonl", HEADER, people_of("x").rows)
    with pytest.raises(EmollamaError, match="answers from voice were not calibrated, only from"):
        run("score", tmp_path / "p.jsonl", "--calibration", path)


@pytest.mark.parametrize(
    ("held", "tested", "coverage", "size"),
    [("b", "a", 0.871, 1.32), ("b", "c", 0.825, 1.25), ("a", "c", 0.975, 3.02)],
)
def test_what_the_page_tells_of_ravdess(
    held: str, tested: str, coverage: float, size: float
) -> None:
    found = fit_calibration(read_predictions(RESULTS / f"ravdess/{held}/predictions.jsonl"))
    theirs = read_predictions(RESULTS / f"ravdess/{tested}/predictions.jsonl")
    assert measured(found, theirs, 0.9) == (
        pytest.approx(coverage, abs=5e-4), pytest.approx(size, abs=5e-3),
    )  # fmt: skip


def test_what_the_page_tells_of_meld() -> None:
    """Half of the speakers calibrate, the others are scored; mean of five draws."""
    whole = read_predictions(RESULTS / "meld/predictions.jsonl")
    people = sorted({r.group for r in whole.rows if r.group})
    for coverage, told in ((0.8, (0.80, 1.79)), (0.9, (0.91, 2.94))):
        found = []
        for seed in range(5):
            half = set(np.random.default_rng(seed).permutation(people)[: len(people) // 2].tolist())
            held, theirs = (
                replace(whole, rows=tuple(r for r in whole.rows if (r.group in half) is inside))
                for inside in (True, False)
            )
            fitted = fit_calibration(held, coverage=coverage)
            assert "is promised on average" in fitted.sets[0].promise(coverage)
            found.append(measured(fitted, theirs, coverage))
        assert np.mean(found, axis=0) == pytest.approx(told, abs=0.02)


def measured(found: Calibration, theirs: Predictions, coverage: float) -> tuple[float, float]:
    """Coverage and mean size of the sets."""
    system, channels = theirs.headline()
    labels = theirs.header.labels.labels
    rows = [r for r in theirs.select(channels, system) if r.scores]
    scores = np.array([[(r.scores or {})[x] for x in labels] for r in rows])
    truth = np.array([[r.reference == x for x in labels] for r in rows])
    sets = found.require(channels).sets(scores, coverage)
    return float(sets[truth].mean()), float(sets.sum(axis=1).mean())
