"""Warnings that a model was trained on what it is tested on, from its training record."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from emollama.evaluation.trained_on import trained_on
from emollama.manifest.labels import label_set
from emollama.manifest.sample import Sample, write_manifest
from emollama.manifest.split_file import read_with_splits, write_split_file

LABELS = label_set("two", "happy", "sad")


def manifest(path: Path, train: str, test: str, corpus: str = "made") -> Path:
    samples = [Sample(id=i, split="train") for i in train]
    samples += [Sample(id=i, split="test") for i in test]
    write_manifest(path, corpus, LABELS, samples)
    return path


def record(path: Path, **more: Any) -> dict[str, Any]:
    data = {"manifest": str(path), "split_file": None, "train_split": "train"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"config": {"data": data}, "manifest_sha256": digest, "split_sha256": None, **more}


def test_another_split_file_is_told_whatever_the_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = manifest(tmp_path / "m.jsonl", "ab", "cd")
    splits = dict(zip("abcd", ("test", "train", "train", "train"), strict=True))
    file = write_split_file(tmp_path / "s.jsonl", "made", "k-fold", {}, splits)
    tested = read_with_splits(path, file.path)
    monkeypatch.chdir(tmp_path)
    copy = manifest(tmp_path / "copy.jsonl", "ab", "cd")
    old = record(Path("./m.jsonl"))
    del old["manifest_sha256"]
    for known in (record(Path("./m.jsonl")), record(copy), old):
        found = trained_on(known, tested, "test")
        assert "another split file" in found["split"]
        assert found["trained on"].startswith("1 of 1 tested samples") and "'a'" in str(found)
    known = record(path, split_sha256=file.sha256)
    known["config"]["data"]["split_file"] = str(file.path)
    assert trained_on(known, tested, "test") == {}


def test_a_fold_tested_on_anothers_training_clips_is_told(tmp_path: Path) -> None:
    one = manifest(tmp_path / "1.jsonl", "abc", "d")
    two = read_with_splits(manifest(tmp_path / "2.jsonl", "bd", "ac"), None)
    found = trained_on(record(one), two, "test")
    assert list(found) == ["trained on"] and found["trained on"].startswith("2 of 2")
    assert trained_on(record(two.path), two, "test") == {}
    # Of what can no longer be known, and of another corpus, nothing is said.
    assert trained_on(record(one, manifest_sha256="0" * 64), two, "test") == {}
    assert trained_on(record(one, split_sha256="0" * 64), two, "test") == {}
    other = manifest(tmp_path / "3.jsonl", "abc", "d", corpus="other")
    assert trained_on(record(other), two, "test") == {}
    known = record(one)
    one.unlink()
    assert trained_on(known, two, "test") == {}
    assert trained_on({"sha256": "0" * 64}, two, "test") == {}
