from __future__ import annotations

import hashlib
import io
import json
import random

import pytest
from rich.console import Console

from emollama.base.errors import EmollamaError
from emollama.evaluation.baseline import baseline_predictions
from emollama.manifest.labels import LabelSet
from emollama.scoring.metrics.hallucination import Vocabulary
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions
from emollama.scoring.predictions.systems import CHANCE, JOINT, LATE, MAJORITY
from emollama.scoring.report.findings import _compared
from emollama.scoring.report.report import report_from_files
from emollama.scoring.report.tables import print_report, splits_table, table_markdown

from .made import MER2023, of_split, random_predictions, samples_with_features

HEADER = Header(labels=MER2023, corpus="probe", split="test", model="m", config_hash="ab", seed=7)
QUICK = {"resamples": 100}


def clues_in(text: str) -> set[str]:
    return {w for w in ("loud", "smile", "frown") if w in text}


VOCABULARY = Vocabulary(clues_in, lambda clue: "voice" if clue == "loud" else "face")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model that answers as the joint baseline does, but fails to parse now and then."""
    folder = tmp_path_factory.mktemp("files")
    samples, features = samples_with_features(360)
    train, val, test = (of_split(samples, s) for s in ("train", "val", "test"))
    result = baseline_predictions(features, MER2023, train, test, val)
    model = []
    for i, p in enumerate(p for p in result.predictions if p.system == JOINT):
        update = {"system": "model", "latency_ms": 100.0 + i % 7, "reason": "A smile."}
        update["clues"] = ("smile",) if i % 2 else ("loud", "frown")
        if i % 40 == 0:
            update |= {"label": None, "parse_failure": "two labels"}
        model.append(p.model_copy(update=update))
    write_predictions(folder / "model.jsonl", HEADER, model)
    header = HEADER.model_copy(update={"settings": result.settings, "model": ""})
    write_predictions(folder / "baseline.jsonl", header, result.predictions)
    return folder


def test_report_is_a_pure_function_of_the_files(files, tmp_path):
    def write(name, source):
        out = tmp_path / name
        report_from_files(source, files / "baseline.jsonl", out, vocabulary=VOCABULARY, **QUICK)
        return {p.name: p.read_bytes() for p in sorted(out.iterdir())}

    first = write("a", files / "model.jsonl")
    assert first == write("b", files / "model.jsonl")
    assert sorted(first) == [
        "confusion.png", "modality.png", "per_class.png", "pr.png", "reliability.png",
        "report.json", "report.md", "roc.png",
    ]  # fmt: skip
    # The order of rows changes the file's hash and nothing else.
    read = read_predictions(files / "model.jsonl")
    shuffled = tmp_path / "model.jsonl"
    write_predictions(shuffled, read.header, random.Random(0).sample(read.rows, len(read.rows)))
    other = write("c", shuffled)
    one, two = (json.loads(x["report.json"]) for x in (first, other))
    assert one.pop("files") != two.pop("files") and one == two
    assert all(first[n] == other[n] for n in first if n.endswith(".png"))


def test_what_the_report_says(files, tmp_path):
    report = report_from_files(
        files / "model.jsonl", files / "baseline.jsonl", tmp_path, vocabulary=VOCABULARY, **QUICK
    )
    text = (tmp_path / "report.json").read_text()
    assert report == json.loads(text) and "NaN" not in text and str(tmp_path) not in text
    digest = hashlib.sha256((files / "model.jsonl").read_bytes()).hexdigest()
    assert report["files"][0] == {"role": "model", "name": "model.jsonl", "sha256": digest}
    assert report["channels"] == ["voice", "face", "words"]
    assert report["scores"]["weighted_f1"]["n_scored"] == 120
    assert report["failures"] == {"two labels": report["scores"]["uar"]["parse_failures"]}
    assert [o["system"] for o in report["others"]] == [JOINT, LATE, MAJORITY, CHANCE]
    assert report["others"][0]["difference"]["value"] <= 0, "parse failures cannot help"
    assert len(report["modality"]["rows"]) == 7 and report["modality"]["conflicts"]
    assert report["faithfulness"]["own"]["precision"]["value"] == pytest.approx(0.5, abs=0.1)
    assert report["latency_ms"]["n"] == 120
    assert sum(map(sum, report["confusion"]["counts"])) == 120
    page = (tmp_path / "report.md").read_text()
    for expected in (digest, "120 of 120", "two labels", "minus best single channel", "C="):
        assert expected in page
    for row in report["modality"]["rows"]:
        assert f"{row['scores']['model']['value']:.3f}" in page
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=160))
    assert "voice + face + words" in stream.getvalue() and "unparsed" in stream.getvalue()


def test_a_model_alone_without_scores(tmp_path):
    rows = [p.model_copy(update={"scores": None}) for p in random_predictions(30)]
    write_predictions(tmp_path / "p.jsonl", HEADER, rows)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reliability.png").write_text("from an earlier report")
    report = report_from_files(tmp_path / "p.jsonl", None, tmp_path / "out", metric="uar", **QUICK)
    assert report["figures"] == ["confusion.png", "per_class.png"]
    assert not (tmp_path / "out" / "reliability.png").exists()
    assert report["scores"]["ece"]["value"] is None and report["others"] == []
    print_report(report, Console(file=io.StringIO()))


def test_a_baseline_file_can_be_scored_by_itself(files, tmp_path):
    report = report_from_files(files / "baseline.jsonl", None, tmp_path, **QUICK)
    assert (
        report["system"] == JOINT
        and "is better than with its best single channel" in report["findings"][-1]
    )


def test_files_that_do_not_belong_together(files, tmp_path):
    def refused(rows, match, labels=MER2023):
        path = tmp_path / "other.jsonl"
        write_predictions(path, Header(labels=labels), rows)
        with pytest.raises(EmollamaError, match=match) as error:
            report_from_files(files / "model.jsonl", path, tmp_path / "out", **QUICK)
        assert str(error.value).startswith(str(path)) and not (tmp_path / "out").exists()

    row = Prediction(id="elsewhere", system="chance", reference="sad", label="sad")
    refused([row], "no sample in common")
    mine = read_predictions(files / "model.jsonl").rows[0]
    wrong = "sad" if mine.reference != "sad" else "angry"
    refused(
        [mine.model_copy(update={"system": "x", "reference": wrong})], "a sample can have only one"
    )
    refused([mine.model_copy(update={"truth": None})], "each may occur once")
    few = Prediction(id=mine.id, system="x", reference="sad", label="sad")
    refused([few], "its labels", LabelSet("two", ("sad", "happy")))
    with pytest.raises(EmollamaError, match="metric 'f1' is unknown"):
        report_from_files(files / "model.jsonl", None, tmp_path / "out", metric="f1")
    write_predictions(tmp_path / "n.jsonl", HEADER, [Prediction(id="a", label="sad")])
    with pytest.raises(EmollamaError, match=r"n.jsonl: no row has a reference"):
        report_from_files(tmp_path / "n.jsonl", None, tmp_path / "out")


def test_splits_side_by_side(files, tmp_path):
    report = report_from_files(
        files / "model.jsonl", files / "baseline.jsonl", tmp_path, metric="uar", **QUICK
    )
    value = report["modality"]["rows"][0]["scores"]["model"]["value"]
    other = json.loads(json.dumps(report))
    other["modality"]["rows"][0]["scores"]["model"]["value"] = value + 0.1
    table = splits_table([report, other])
    assert table.rows[0][:2] == ("voice", "model") and len(table.rows) == 7 + 7 + 4
    assert table.rows[0][-1] == f"{value + 0.05:.3f}"
    assert table_markdown(table).splitlines()[0].startswith("| channels | system | test (n = 120)")
    with pytest.raises(EmollamaError, match="accuracy, uar"):
        splits_table([report, {**other, "metric": "accuracy"}])


def test_nothing_is_better_or_worse_on_one_sample():
    difference = {"value": -1.0, "ci_low": -1.0, "ci_high": -1.0, "p": 0.002, "n": 1}
    said = _compared("the model", "the regression", "UAR", difference)
    assert said == "Too few samples to compare the model and the regression in UAR: -1.000, n = 1."
    assert "is worse than" in _compared("a", "b", "UAR", difference | {"n": 10})
