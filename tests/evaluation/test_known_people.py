"""Both families are trained with people known by 0 to all clips, and evaluated so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from emollama.base.config import load_config
from emollama.base.errors import EmollamaError
from emollama.base.paths import FAMILIARITY_FILE
from emollama.cli.calibrate import calibrate
from emollama.cli.enrolment import enrolment as enrolment_command
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.enrolment import enrolment_curve
from emollama.evaluation.evaluate import evaluate
from emollama.evaluation.known_people import SETTING
from emollama.inputs.enrolment import Known, enrolment
from emollama.inputs.familiarity import read_familiarity
from emollama.inputs.person_file import PRIOR_FILE, write_prior
from emollama.manifest.sample import read_manifest
from emollama.scoring.enrolment.curve import ALL, NOBODY, points, read_curve
from emollama.scoring.predictions.predictions import read_predictions
from emollama.session.family import open_artefact, train
from tests.inputs.people import make_people
from tests.tiny import tiny_llm

INPUTS = [
    {"name": c, "channel": c, "source": c, "standardise": "person"} for c in ("voice", "face")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    data = {"manifest": str(make_people(folder)), "store": str(folder / "store")}
    llm = {
        "output": str(folder / "llm"),
        "data": data,
        "model": {"llm": str(tiny_llm(folder / "tiny")), "dtype": "float32", "streams": INPUTS,
                  "lora": {"r": 2, "alpha": 4}},
        "training": {"max_steps": 2, "batch_size": 4, "micro_batch": 4,
                     "evaluate_every_steps": 2},
    }  # fmt: skip
    fusion = {
        "output": str(folder / "fusion"),
        "data": data,
        "fusion": {"system": "early", "modalities": INPUTS, "options": {"dropout": 0.2}},
        "training": {"epochs": 12, "batch_size": 16, "learning_rate": 0.02},
    }
    for name, values in (("llm", llm), ("fusion", fusion)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
        train(folder / f"{name}.yaml")
    return folder


def config(folder: Path, family: str, output: Path, **data: Any) -> Path:
    values = {
        "model": str(folder / family / "model"),
        "output": str(output),
        "data": {
            "manifest": str(folder / "manifest.jsonl"), "store": str(folder / "store"), **data
        },
        "bootstrap": 100,
        "metric": "uar",
        "modality_report": "none",
    }  # fmt: skip
    path = output.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(values))
    return path


def evaluated(folder: Path, family: str, output: Path, **data: Any) -> Any:
    return evaluate(load_config(EvalConfig, config(folder, family, output, **data), [])).report


@pytest.mark.parametrize("family", ["fusion", "llm"])
def test_training_measures_what_is_familiar_and_calibrate_does_so_again(
    folder: Path, tmp_path: Path, family: str
) -> None:
    model = folder / family / "model"
    found = read_familiarity(model / FAMILIARITY_FILE)
    assert found.people == 7 and set(found.yardsticks["voice"]) == {"corpus", "person"}
    calibrate(None, model, out=tmp_path / "again", familiarity=True)
    again = read_familiarity(tmp_path / "again")
    for against, one in found.yardsticks["voice"].items():
        other = again.yardsticks["voice"][against]
        assert (other.usual, other.limit) == pytest.approx((one.usual, one.limit), rel=1e-3)


@pytest.mark.parametrize("family", ["llm", "fusion"])
def test_answers_move_with_what_people_are_known_by(
    folder: Path, tmp_path: Path, family: str
) -> None:
    reports = {
        enrol: evaluated(folder, family, tmp_path / str(enrol), enrol=enrol)
        for enrol in ("none", "all", 4)
    }
    headers = {e: read_predictions(tmp_path / str(e) / "predictions.jsonl") for e in reports}
    assert SETTING not in headers["none"].header.settings
    assert "transductive" in headers["all"].header.settings[SETTING]
    assert "4 of their clips, unlabelled and not scored" in headers[4].header.settings[SETTING]
    assert [len(h.rows) for h in headers.values()] == [96, 96, 80]
    scores = [{r.id: r.scores for r in h.rows} for h in headers.values()]
    assert scores[0] != scores[1] != scores[2]
    if family == "fusion":
        values = [r["scores"]["uar"]["value"] for r in reports.values()]
        assert values[1] > values[0] + 0.1 and values[2] > values[0] + 0.1
        regression = reports["all"]["others"][0]
        assert regression["scores"]["uar"]["value"] > 0.8  # it is measured against people too


@pytest.mark.parametrize("family", ["llm", "fusion"])
def test_nobody_known_is_corpus_standardisation(folder: Path, family: str) -> None:
    model = open_artefact(folder / family / "model")
    assert model.prior is not None
    manifest = read_manifest(folder / "manifest.jsonl")
    samples = [s for s in manifest.samples if s.split == "test"][:6]
    loaded = model.load_samples(manifest, samples, "test", folder / "store")
    ids, channels = [s.id for s in samples], ["voice", "face"]
    plain = [a.scores for a in loaded.answers(ids, channels, 4)]  # type: ignore[arg-type]
    loaded.known = Known(model.prior, lambda _: None)
    none = [a.scores for a in loaded.answers(ids, channels, 4)]  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain, none)
    loaded.known = enrolment(model.prior, loaded.readers, samples).transductive
    known = [a.scores for a in loaded.answers(ids, channels, 4)]  # type: ignore[arg-type]
    assert not np.allclose(plain, known)


def test_a_batch_is_measured_as_its_tracks_are(folder: Path) -> None:
    """Fusion measures the padded batch, the language model and the baseline measure tracks."""
    model = open_artefact(folder / "fusion" / "model")
    assert model.prior is not None
    manifest = read_manifest(folder / "manifest.jsonl")
    samples = [s for s in manifest.samples if s.split == "test"]
    loaded: Any = model.load_samples(manifest, samples, "test", folder / "store")
    known = enrolment(model.prior, loaded.readers, samples).transductive
    batch = loaded.data.batch(range(8), known)
    measured = known.readers(loaded.readers)
    for name in ("voice", "face"):
        for row, sample in enumerate(samples[:8]):
            track = measured[name].get(sample.id)
            assert (track is None) == (not batch.valid[name][row].any())
            if track is not None:
                steps = batch.values[name][row, : len(track.values)]
                torch.testing.assert_close(steps, torch.from_numpy(track.values))


def test_the_curve(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(folder, "fusion", tmp_path / "curve")
    enrolment_command(str(path), draws=2)
    shown = capsys.readouterr().out
    assert "no clip" in shown and "two thirds neutral" in shown and "transductive" in shown
    assert (tmp_path / "curve" / "enrolment.png").read_bytes().startswith(b"\x89PNG")
    curve = read_curve(tmp_path / "curve" / "enrolment.jsonl")
    found = {(p.system, p.case, p.clips): p for p in points(curve, resamples=50)}
    systems = list(dict.fromkeys(p[0] for p in found))
    assert systems == ["the fusion model", "logistic regression"]
    for system in systems:
        assert found[system, ALL, 0].gain > 0.03 and found[system, NOBODY, 0].gain == 0
    for row in curve.rows:
        left = sum(a < 0 for a in row.answers)
        assert left == 4 * row.clips  # of each of four people, and never scored
    enrolment_command(score=tmp_path / "curve" / "enrolment.jsonl")
    assert capsys.readouterr().out.splitlines()[1:] == shown.splitlines()[1:-1]


def test_a_curve_may_score_some_clips_of_each_draw(folder: Path, tmp_path: Path) -> None:
    path = config(folder, "llm", tmp_path / "curve")
    curve = enrolment_curve(load_config(EvalConfig, path, []), draws=1, baseline=False, scored=4)
    for row in curve.rows:
        answered = [i for i, code in enumerate(row.answers) if code >= 0]
        if row.case in (NOBODY, ALL):
            assert len(answered) == len(curve.ids)
            continue
        of_each = Counter((curve.people[i], curve.truth[i]) for i in answered)
        assert len(of_each) == 16 and set(of_each.values()) == {1}  # four labels of four people


def test_mistakes(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    values = yaml.safe_load((folder / "fusion.yaml").read_text())
    values["output"] = str(plain)
    values["training"]["epochs"] = 1
    for section in values["fusion"]["modalities"]:
        section["standardise"] = True
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(values))
    train(tmp_path / "plain.yaml")
    path = config(folder, "fusion", tmp_path / "out", enrol="all")
    with pytest.raises(EmollamaError, match=r"model: its features are not measured against people"):
        evaluate(load_config(EvalConfig, path, [f"model={plain / 'model'}"]))
    with pytest.raises(EmollamaError, match=r"enrol"):
        load_config(EvalConfig, path, ["data.enrol=some"])
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in (folder / "fusion" / "model").iterdir():
        if file.is_file() and file.name != PRIOR_FILE:
            (broken / file.name).write_bytes(file.read_bytes())
    with pytest.raises(EmollamaError, match=r"people\.safetensors: does not exist"):
        enrolment_curve(load_config(EvalConfig, path, [f"model={broken}"]), 1)
    (tmp_path / "no.jsonl").write_text(json.dumps({"id": "x"}) + "\n")
    with pytest.raises(EmollamaError, match=r"no\.jsonl: is not a file of 'emollama enrolment'"):
        read_curve(tmp_path / "no.jsonl")


@pytest.mark.parametrize("family", ["llm", "fusion"])
def test_a_model_of_an_earlier_version_knows_which_inputs_show_faces(
    folder: Path, family: str
) -> None:
    """Its file does not say."""
    model = folder / family / "model"
    prior = open_artefact(model).prior
    assert prior is not None
    write_prior(replace(prior, faces=()), model / PRIOR_FILE)
    prior = open_artefact(model).prior
    assert prior is not None and prior.faces == ("face",)
