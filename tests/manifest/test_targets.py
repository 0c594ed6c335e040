"""Votes of several annotators and sets of words in a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Targets, read_manifest

HEADER = {
    "manifest": {"version": 1, "corpus": "c", "labels": get_label_set("mer2023").to_dict()}
}  # fmt: skip


def read(path: Path, targets: dict[str, object]) -> Targets:
    """The targets of a manifest's only sample."""
    rows = [HEADER, {"id": "a", "targets": targets}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return read_manifest(path).samples[0].targets


def test_votes_take_their_labels_and_words_stay_as_written(tmp_path: Path) -> None:
    found = read(
        tmp_path / "m.jsonl", {"votes": {"joy": 3, "neutral": 1}, "words": ["Ill  at ease"]}
    )
    assert found.votes == {"happy": 3, "neutral": 1} and found.words == ("Ill at ease",)
    assert found.shares() == {"happy": 0.75, "neutral": 0.25}
    assert read(tmp_path / "m.jsonl", {}).shares() is None


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ({"votes": {"bliss": 1}}, "targets.votes: 'bliss' is not in label set 'mer2023'"),
        ({"votes": {"joy": 1, "happy": 2}}, "targets.votes: a label is named twice"),
        ({"votes": {"happy": -1, "sad": 2}}, "targets.votes: 'happy' is -1"),
        ({"votes": {"happy": 0}}, "targets.votes: no label has a vote"),
        ({"votes": {}}, "targets.votes: no label has a vote"),
        ({"words": []}, "targets.words: must be distinct words"),
        ({"words": ["glad", " "]}, "targets.words: must be distinct words"),
        ({"words": ["glad", "Glad"]}, "targets.words: must be distinct words"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(tmp_path: Path, targets: dict[str, object], told: str) -> None:
    with pytest.raises(EmollamaError, match=r"m\.jsonl:2: ") as raised:
        read(tmp_path / "m.jsonl", targets)
    assert told in str(raised.value)


def test_a_table_or_folder_in_place_of_a_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("文件名;情感\n", "utf-16")
    with pytest.raises(EmollamaError, match=r"is a table; make .* `emollama prepare csv .*t\.csv"):
        read_manifest(table)
    with pytest.raises(EmollamaError, match=r"is a folder; .* `emollama prepare folder"):
        read_manifest(tmp_path)
