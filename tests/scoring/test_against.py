"""Predictions held against a manifest, its own splits or those of split files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emollama.base.errors import EmollamaError
from emollama.cli.app import app
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Manifest, Sample, Targets, read_manifest, write_manifest
from emollama.manifest.split_file import SplitFile, write_split_file
from emollama.scoring.predictions.against import against_manifest
from emollama.scoring.predictions.prediction import Prediction
from emollama.scoring.predictions.predictions import Header, Predictions, write_predictions

LABELS = label_set("two", "happy", "sad")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    targets = Targets(emotion="sad", valence=1.0, emotions={"happy": 0.0, "sad": 2.0})
    samples = [Sample(id=i, split="train", targets=targets) for i in "abcd"]
    write_manifest(tmp_path / "m.jsonl", "made", LABELS, samples)
    return read_manifest(tmp_path / "m.jsonl")


def splits(path: Path, tested: str) -> SplitFile:
    chosen = {i: "test" if i in tested else "train" for i in "abcd"}
    return write_split_file(path, "made", "k-fold", {}, chosen)


def predictions(path: Path, ids: str, sha256: str | None) -> Path:
    header = Header(labels=LABELS, corpus="made", split="test", split_sha256=sha256)
    write_predictions(path, header, [Prediction(id=i, label="sad") for i in ids])
    return path


def score(*words: Any) -> dict[str, Any]:
    call = ["score", *map(str, words), "--metric", "accuracy", "--format", "json"]
    done = CliRunner().invoke(app, [*call, "--bootstrap", "100"])
    if isinstance(done.exception, EmollamaError):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)["results"][0]
    return found


def test_the_clips_are_those_of_each_folds_split_file(tmp_path: Path, manifest: Manifest) -> None:
    one, two = splits(tmp_path / "s1.jsonl", "ab"), splits(tmp_path / "s2.jsonl", "cd")
    files = [
        predictions(tmp_path / "1.jsonl", "ab", one.sha256),
        predictions(tmp_path / "2.jsonl", "c", two.sha256),
    ]
    whole = ("--manifest", manifest.path)
    found = score(*files, *whole, "--split-file", two.path, "--split-file", one.path)
    assert (found["value"], found["n_scored"]) == (0.75, 4)
    assert found["failures"] == {"no row in the file": 1}
    with pytest.raises(EmollamaError, match=r"1.jsonl: was made with .* and .*s2.jsonl is another"):
        score(files[0], *whole, "--split-file", two.path)
    with pytest.raises(EmollamaError, match=r"1.jsonl: was made with .* which --split-file names"):
        score(files[0], *whole)
    with pytest.raises(EmollamaError, match="--split-file needs --manifest"):
        score(files[0], "--split-file", one.path)
    bare = predictions(tmp_path / "3.jsonl", "a", None)
    with pytest.raises(EmollamaError, match=r"3.jsonl: was not made with a split file"):
        score(bare, *whole, "--split-file", one.path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"reference_values": {"valence": 4.0}},
         "has reference_values.valence '4.0', but '1.0' in the manifest"),
        ({"reference_values": {"valence": 1.0}, "reference_labels": ("happy", "sad")},
         "has reference_labels 'happy, sad', but 'sad' in the manifest"),
        ({"reference": "happy", "label": "happy"}, "has reference 'happy'"),
    ],
)  # fmt: skip
def test_another_truth_than_the_manifests_is_refused(
    manifest: Manifest, row: dict[str, Any], message: str
) -> None:
    given = Predictions(Header(labels=LABELS), (Prediction(id="a", **row),))
    with pytest.raises(EmollamaError, match=message):
        against_manifest(given, manifest)


def test_truths_that_a_row_lacks_come_from_the_manifest(manifest: Manifest) -> None:
    rows = (
        Prediction(id="a", label="sad", reference_values={"arousal": 0.5},
                   reference_labels=("sad",)),
        Prediction(id="b", label="sad", reference_values={"valence": 1.0000001}),
        Prediction(id="c", label="sad", reference_values={"valence": (4.0, 5.0)}),
    )  # fmt: skip
    a, b, c, d = against_manifest(Predictions(Header(labels=LABELS), rows), manifest).rows
    assert a.reference_values == {"arousal": 0.5, "valence": 1.0}
    # What was written with fewer digits, or frame by frame, is no other truth.
    assert b.reference_values == {"valence": 1.0000001}
    assert c.reference_values == {"valence": (4.0, 5.0)}
    assert b.reference_labels == d.reference_labels == ("sad",) and d.label is None
    bare = against_manifest(Predictions(Header(labels=LABELS), rows[1:]), manifest).rows
    assert all(r.reference_labels is None for r in bare)
