"""Split files: written and read the same, applied to a manifest, and every way to be none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from emollama.base.errors import EmollamaError
from emollama.evaluation.config import EvalConfig
from emollama.evaluation.evaluate import evaluate
from emollama.llm.training.config import TrainConfig
from emollama.llm.training.sft import train
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Sample, Targets, write_manifest
from emollama.manifest.split_file import (
    leakage,
    read_split_file,
    read_with_splits,
    write_split_file,
)
from tests.llm.training.corpus import make

HEADER = json.dumps({"split": {"version": 1, "corpus": "c", "scheme": "x"}})


def samples() -> list[Sample]:
    return [
        Sample(id=name, speaker=speaker, group=group, split="old", targets=Targets(emotion="sad"))
        for name, speaker, group in (
            ("a/1 b", "ann", "s1"), ("b", "ann", "s2"), ("c", "bob", "s2"), ("d", None, None),
        )
    ]  # fmt: skip


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    write_manifest(tmp_path / "m.jsonl", "c", get_label_set("mer2023"), samples())
    return tmp_path / "m.jsonl"


def test_written_read_and_applied(manifest: Path, tmp_path: Path) -> None:
    splits = {"a/1 b": "train", "b": "test", "c": "test", "d": None}
    file = write_split_file(tmp_path / "s.jsonl", "c", "k-fold", {"seed": 3}, splits)
    assert (file.splits, file.scheme, file.options) == (splits, "k-fold", {"seed": 3})
    turned = dict(reversed(splits.items()))
    again = write_split_file(tmp_path / "t.jsonl", "c", "k-fold", {"seed": 3}, turned)
    assert again.sha256 == file.sha256
    found = read_with_splits(manifest, tmp_path / "s.jsonl")
    assert {s.id: s.split for s in found.samples} == splits and found.split_sha256 == file.sha256
    assert [s.id for s in found.split("test")] == ["b", "c"]
    (leak,) = leakage(found.samples)
    assert str(leak).startswith("1 of 2 speakers are in more than one split, e.g. 'ann'")
    assert read_with_splits(manifest, None).split_sha256 is None


def test_groups_that_are_not_speakers_leak_too() -> None:
    placed = [s.model_copy(update={"split": p}) for s, p in zip(samples(), "xxyy", strict=True)]
    (leak,) = leakage(placed)
    assert (leak.kind, leak.shared, leak.of, leak.example) == ("groups", 1, 2, "s2")


def test_a_group_that_is_not_the_speaker_in_every_sample_leaks() -> None:
    def found(*rows: tuple[str, str | None, str]) -> list[tuple[str, int, int]]:
        placed = [
            Sample(id=str(i), group=group, speaker=speaker, split=split)
            for i, (group, speaker, split) in enumerate(rows)
        ]
        return [(leak.kind, leak.shared, leak.of) for leak in leakage(placed)]

    assert found(("sam", "sam", "train"), ("sam", None, "test")) == [("groups", 1, 1)]
    assert found(("sam", "sam", "train"), ("g2", "sam", "test")) == [("speakers", 1, 1)]
    assert found(("sam", "sam", "train"), ("sam", "sam", "test")) == [("speakers", 1, 1)]


def test_a_split_of_another_corpus_is_not_applied(manifest: Path, tmp_path: Path) -> None:
    splits = dict.fromkeys((s.id for s in samples()), "train")
    write_split_file(tmp_path / "s.jsonl", "other", "x", {}, splits)
    with pytest.raises(
        EmollamaError, match=r"s.jsonl:1: splits corpus 'other', but .* is corpus 'c'"
    ):
        read_with_splits(manifest, tmp_path / "s.jsonl")
    write_split_file(tmp_path / "s.jsonl", "", "x", {}, splits)
    assert read_with_splits(manifest, tmp_path / "s.jsonl").split("train")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], r"s.jsonl:1: a split file begins with a header"),
        (['{"id": "b", "split": "x"}'], r"s.jsonl:1: a split file begins with a header"),
        (['{"split": {"version": 2}}'], r"s.jsonl:1: split file version 2"),
        ([HEADER, '{"id": "b", "split": "x"'], r"s.jsonl:2: is not JSON"),
        ([HEADER, "", '{"id": "b"}', '{"id": "b", "split": 1}'], r"s.jsonl:3: must hold an id"),
        ([HEADER, '{"id": "b", "split": 1}'], r"s.jsonl:2: must hold an id"),
        ([HEADER, '{"id": "b", "split": "x"}', '{"id": "b", "split": "x"}'],
         r"s.jsonl:3: id 'b' is already on line 2"),
        ([HEADER, '{"id": "b", "split": "x", "split": "y"}'],
         r"s.jsonl:2: .* key 'split' occurs twice"),
        ([HEADER, '{"id": "b", "split": null}'], r"s.jsonl: assigns no sample to a split"),
    ],
)  # fmt: skip
def test_what_is_no_split_file(tmp_path: Path, lines: list[str], said: str) -> None:
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    with pytest.raises(EmollamaError, match=said):
        read_split_file(tmp_path / "s.jsonl")


def test_ids_that_are_not_there_or_missing(manifest: Path, tmp_path: Path) -> None:
    splits = {"a/1 b": "train", "b": "test", "c": "test", "d": "train"}
    path = tmp_path / "s.jsonl"
    write_split_file(path, "c", "x", {}, {**splits, "c.wav": "test"})
    with pytest.raises(EmollamaError, match=r"s.jsonl:5: id 'c.wav' is not in .*m.jsonl"):
        read_with_splits(manifest, path)
    write_split_file(path, "c", "x", {}, {"a/1 b": "train"})
    with pytest.raises(EmollamaError, match=r"m.jsonl:3: id 'b' has no line in .*, nor do 2 oth"):
        read_with_splits(manifest, path)
    path.write_bytes("\ufeff".encode() + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_split_file(path).splits == {"a/1 b": "train"}
    path.write_bytes(path.read_text("utf-8-sig").encode("utf-16"))
    with pytest.raises(EmollamaError, match=r"s.jsonl:1: is not UTF-8"):
        read_split_file(path)


def test_a_run_takes_its_splits_from_the_file(tmp_path: Path) -> None:
    config = yaml.safe_load(make(tmp_path).read_text())
    config["training"] |= {"max_steps": 1, "save_every_steps": 1}
    manifest = tmp_path / "manifest.jsonl"
    ids = [s.id for s in read_with_splits(manifest, None).samples]
    splits = {name: ("train", "val", "test")[i % 3] for i, name in enumerate(ids)}
    file = write_split_file(tmp_path / "s.jsonl", "tiny", "x", {}, splits)
    config["data"]["split_file"] = str(file.path)
    train(TrainConfig.model_validate(config))
    record = json.loads((tmp_path / "run/model/training_record.json").read_text())
    assert (record["split_sha256"], record["samples"]) == (file.sha256, 8)

    evaluation = EvalConfig.model_validate(
        {
            "model": str(tmp_path / "run/model"), "output": str(tmp_path / "eval"),
            "data": {"manifest": str(manifest), "split_file": str(file.path)},
            "bootstrap": 100, "baseline": False, "modality_report": "none",
        }
    )  # fmt: skip
    report = evaluate(evaluation).report
    assert report is not None
    assert report["split_sha256"] == file.sha256 and report["scores"]["accuracy"]["n_scored"] == 8
    assert report["settings"]["groups on both sides"].startswith("4 of 4 groups")
    assert "split" not in report["settings"]
    assert f"- split file: SHA-256 {file.sha256}" in (tmp_path / "eval/report.md").read_text()

    other = write_split_file(tmp_path / "t.jsonl", "tiny", "y", {}, dict.fromkeys(ids, "test"))
    evaluation.data.split_file = other.path
    again = evaluate(evaluation).report
    assert again is not None and "another split file" in again["settings"]["split"]
    assert record["manifest_sha256"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
