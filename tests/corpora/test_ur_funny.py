"""UR-FUNNY's pickles in miniature."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.ur_funny import prepare_ur_funny
from tests.corpora.trees import plant, samples_of

FOLDS = {"train": [1, 2], "dev": ["3"], "test": [4]}
LABELS = {1: 1, 2: np.array([[0]]), 3: np.int64(1), 4: [0], 5: 1}
LANGUAGE = {
    1: {"punchline_sentence": "So I ran.", "context_sentences": ["A bear\ncame.", "", "It was big"],
        "punchline_intervals": [[0.0, 1.0]]},
    2: {"punchline_sentence": np.array(["Thank", "you", "."]), "context_sentences": np.array([])},
    3: {"punchline_sentence": "Ha."},
}  # fmt: skip


def ur_funny(
    root: Path, folds: Any = FOLDS, labels: Any = LABELS, language: Any = LANGUAGE
) -> Path:
    values = {"data_folds": folds, "humor_label_sdk": labels, "language_sdk": language}
    return plant(root, {f"sdk/{name}.pkl": pickle.dumps(v) for name, v in values.items()})


def test_folds_labels_and_sentences(tmp_path: Path) -> None:
    root = ur_funny(tmp_path / "uf")
    plant(root, [f"urfunny2_videos/{i}.mp4" for i in (1, 2, 3)])
    with pytest.raises(
        EmollamaError, match=r"no sample of split 'test' is usable.*file is missing"
    ):
        prepare_ur_funny(root, tmp_path / "m.jsonl")
    ur_funny(root, {**FOLDS, "train": [1, 2, 4], "test": []})
    report = prepare_ur_funny(root, tmp_path / "m.jsonl")
    first, second, third = samples_of(tmp_path / "m.jsonl").values()
    assert (first.text, first.truth) == ("So I ran.", {"context": ["A bear came.", "It was big"]})
    assert (first.targets.emotion, first.targets.native, first.split) == ("funny", "1", "train")
    assert first.video == "uf/urfunny2_videos/1.mp4" and first.group is None
    assert second.text == "Thank you ." and second.targets.emotion == "not funny"
    assert third.split == "val" and third.truth == {}
    assert report.rejected == {"4": "file is missing"}
    assert "1 labelled ids are in no fold" in report.notes
    assert report.faults[0] == "split 'all folds': 4 samples found, 10166 expected"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": {1: 2, 2: 0, "3": 1, 4: 0}}, r"label_sdk.pkl: '1': label must be 0 or 1, is 2"),
        ({"labels": {1: 1}}, r"data_folds.pkl: train\[1\]: id '2' is not in humor_label_sdk"),
        ({"folds": {**FOLDS, "test": [1]}}, r"test\[0\]: id '1' is already at .*train\[0\]"),
        ({"folds": {"train": [1]}}, r"data_folds.pkl: has no list 'dev'"),
        ({"labels": [1, 0]}, r"humor_label_sdk.pkl: must hold a value for each id"),
        ({"labels": {**LABELS, 1: [1, [2, 3]]}}, r"'1': label must be 0 or 1, is \[1, \[2, 3\]\]"),
        ({"labels": {**LABELS, 1: "1"}}, r"'1': label must be 0 or 1, is 1"),
        ({"labels": {1: 1, "1": 0}}, r"label_sdk.pkl: id '1' occurs twice"),
        ({"folds": {**FOLDS, "train": np.array(1)}}, r"data_folds.pkl: has no list 'train'"),
        ({"language": {1: {"punchline_sentence": 3}}}, "'punchline_sentence': must be text or a"),
        ({"language": {1: {"context_sentences": [["a", ["b"]]]}}}, "'context_sentences': must be"),
        ({"language": {1: "So I ran."}}, r"language_sdk.pkl: '1': must hold 'punchline_sentence'"),
        ({"language": {1: Path("x")}}, r"language_sdk.pkl: refused .*names 'pathlib"),
    ],
)
def test_mistakes(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_ur_funny(ur_funny(tmp_path, **given), tmp_path / "m.jsonl")


def test_what_is_no_version_2(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has no data_folds"):
        prepare_ur_funny(tmp_path, tmp_path / "m.jsonl")
    (ur_funny(tmp_path) / "sdk/language_sdk.pkl").unlink()
    with pytest.raises(EmollamaError, match=r"no language_sdk.pkl; version 1"):
        prepare_ur_funny(tmp_path, tmp_path / "m.jsonl")
