"""Sets of labels in answers, for both families: from the folder of the model to the terminal."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.base.paths import CALIBRATION_FILE
from emollama.cli.app import app
from emollama.encoders.prosody import ProsodyEncoder
from emollama.fusion import artefact
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.scoring.calibration.calibration import write_calibration
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, write_predictions
from emollama.session import Answer, open_session
from emollama.session.coverage import with_coverage
from tests.features.made import voice
from tests.fusion.systems_made import LABELS, model_of, section
from tests.session.made import made_calibration, tiny_artefact


def fusion_artefact(folder: Path, kind: str = "label") -> Path:
    """Voice by prosody, random weights."""
    encoder = ProsodyEncoder(segments=4)
    voice = section("voice") | {"source": encoder.key, "width": encoder.width,
                                "fingerprint": encoder.fingerprint}  # fmt: skip
    model = model_of("early", {}, [voice], kind)
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    artefact.save({artefact.MAIN: model}, about, folder / "model", {}, "# card\n")
    return folder / "model"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "voice.wav"
    voice(path, 180, 1.2)
    return path


@pytest.fixture(scope="module", params=[tiny_artefact, fusion_artefact], ids=["llm", "fusion"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make: Callable[[Path], Path] = request.param
    return make(tmp_path_factory.mktemp("model"))


def labels_of(model: Path) -> tuple[str, ...]:
    return tuple(LABELS) if (model / "fusion.json").is_file() else get_label_set("mer2023").labels


def run(*words: Any) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_predictions_to_the_terminal(model: Path, clip: Path, tmp_path: Path) -> None:
    labels = labels_of(model)
    shutil.rmtree(tmp_path)
    shutil.copytree(model, tmp_path)
    ask = ("predict", clip, "--model", tmp_path, "--text", "", "--no-explain")
    with pytest.raises(EmollamaError, match=r"holds no calibration\.json.*emollama calibrate"):
        run(*ask, "--coverage", 0.9)
    with pytest.raises(EmollamaError, match="between 0 and 1"):
        run(*ask, "--coverage", 1)
    plain = json.loads(run(*ask, "--json"))
    assert not {"calibrated", "label_set", "coverage"} & set(plain)

    scores = {x: 0.7 if x == labels[0] else 0.3 / (len(labels) - 1) for x in labels}
    rows = [
        Prediction(id=f"{p}{k}", reference=labels[0], label=labels[0], scores=scores, group=p,
                   channels=("voice",))
        for p in "xy" for k in range(2)
    ]  # fmt: skip
    held = tmp_path / "held.jsonl"
    write_predictions(held, Header(labels=LabelSet("made", labels), split="val"), rows)
    told = run("calibrate", tmp_path, "--predictions", held)
    assert "90% coverage is not promised for a new person" in told
    assert f"no clip of {', '.join(labels[1:])}" in told

    found = json.loads(run(*ask, "--json", "--coverage", 0.8))
    assert found["scores"] == plain["scores"] and found["coverage"] == 0.8
    assert sum(found["calibrated"].values()) == pytest.approx(1, abs=1e-5)
    assert found["label_set"][0] == found["label"]
    assert any("80% coverage is not promised" in note for note in found["notes"])
    said = run(*ask, "--coverage", 0.8)
    assert "80% coverage: " in said
    # Without being asked there is no set, only the calibrated probabilities beside the scores.
    assert set(json.loads(run(*ask, "--json"))) - set(plain) == {"calibrated"}

    (tmp_path / CALIBRATION_FILE).write_text("{}")
    with pytest.raises(EmollamaError, match="is not a calibration of version 1"):
        run(*ask)
    write_calibration(tmp_path / CALIBRATION_FILE, made_calibration(["a", "b"], ("voice",)))
    with pytest.raises(EmollamaError, match="is of the labels a, b, the model has"):
        run(*ask)


def test_predictions_that_are_of_something_else(model: Path, tmp_path: Path) -> None:
    labels = labels_of(model)
    row = Prediction(id="1", reference="a", label="a", scores={"a": 0.7, "b": 0.3}, group="x")
    held = tmp_path / "held.jsonl"
    write_predictions(held, Header(labels=LabelSet("made", ("a", "b"))), [row])
    with pytest.raises(EmollamaError, match=f"has the labels a, b, .* has {labels[0]}"):
        run("calibrate", model, "--predictions", held)
    even = dict.fromkeys(labels, 1 / len(labels))
    row = Prediction(id="1", reference=labels[0], label=labels[0], scores=even, group="x")
    write_predictions(held, Header(labels=LabelSet("made", labels), split="train"), [row])
    with pytest.raises(EmollamaError, match="split 'train', which the model was trained on"):
        run("calibrate", model, "--predictions", held)
    assert not (model / CALIBRATION_FILE).exists()


def test_a_session_asks_for_what_there_is(model: Path, clip: Path) -> None:
    session = open_session(model, "float32", describe=False)
    look = session.look(clip, "")
    with pytest.raises(EmollamaError, match="was not calibrated") as refused:
        session.answer(look, False, coverage=0.9)
    assert "/" not in str(refused.value)  # servers tell it to strangers
    session.calibration = made_calibration(session.labels, ("voice",))
    answer = session.answer(look, False, coverage=0.9)
    assert answer.undecided and answer.in_words.startswith(f"cannot tell: {answer.label}, ")
    with pytest.raises(EmollamaError, match="the model's own labels"):
        session.answer(look, False, labels=session.labels[:2], coverage=0.9)
    assert session.answer(look, False, labels=session.labels[:2]).calibrated is None
    session.calibration = made_calibration(session.labels, ("face",))
    other = session.answer(look, False, coverage=0.9)
    assert other.label_set is None and other.calibrated is None
    assert "no set of labels: answers from voice were not calibrated, only from: face" in (
        other.notes
    )


def test_a_model_without_one_label_a_clip(clip: Path, tmp_path: Path) -> None:
    session = open_session(fusion_artefact(tmp_path, "labels"), describe=False)
    with pytest.raises(EmollamaError, match="does not answer with one label a clip"):
        session.answer(session.look(clip, ""), False, coverage=0.9)


def answer_of(**scores: float) -> Answer:
    label = max(scores, key=lambda x: scores[x])
    return Answer(label, dict(scores), ("voice",), {}, None, None, (), 0.0)


def test_sets_by_hand_and_in_words() -> None:
    plain = answer_of(calm=0.1, angry=0.5, disgust=0.35, sad=0.05)
    roots = {x: math.sqrt(p) for x, p in plain.scores.items()}
    calibrated = {x: r / sum(roots.values()) for x, r in roots.items()}
    held = lambda odd: made_calibration(tuple(plain.scores), ("voice",), odd, ("sad",))  # noqa: E731
    two = with_coverage(held(0.7), plain, 0.9)
    assert two.calibrated == pytest.approx(calibrated)
    assert two.label_set == ("angry", "disgust") and two.in_words == "angry or disgust"
    assert two.set_in_words == "90% coverage: angry or disgust" and not two.undecided
    assert two.notes[-1] == "no clip of sad was calibrated on"
    three = with_coverage(held(0.84), plain, 0.9)
    assert three.in_words == "cannot tell: angry, disgust or calm" and three.undecided
    assert with_coverage(held(0.1), plain, 0.9).in_words == "angry"
    assert with_coverage(None, plain, None) is plain
    assert three.to_dict()["label_set"] == ["angry", "disgust", "calm"]
    with pytest.raises(EmollamaError, match="must be finite"):
        with_coverage(held(0.7), answer_of(calm=0.5, angry=0.5, disgust=0.0, sad=np.nan), 0.9)
