"""`emollama split`: each scheme, its options, and the leakage said aloud."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emollama.base.errors import EmollamaError
from emollama.cli import app as cli
from emollama.corpora.split_schemes import DEFAULTS, write_split
from emollama.manifest.labels import get_label_set
from emollama.manifest.sample import Manifest, Sample, Targets, read_manifest, write_manifest
from emollama.manifest.split_file import SplitFile

LABELS = ("happy", "sad", "neutral")


def corpus(path: Path, **changed: Any) -> Manifest:
    """Six sessions of two speakers with ten clips each, labels in turn."""
    samples = [
        Sample(
            id=f"s{session}-{who}-{i}",
            speaker=f"s{session}-{who}",
            group=f"s{session}",
            split="test" if session == 5 else "train",
            targets=Targets(emotion=LABELS[i % 3]),
        ).model_copy(update=changed)
        for session in range(6)
        for who in "ab"
        for i in range(10)
    ]
    write_manifest(path, "crema-d", get_label_set("mer2023"), samples)
    return read_manifest(path)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return corpus(tmp_path / "m.jsonl")


def places(file: SplitFile, length: int) -> dict[str, set[str | None]]:
    """{beginning of the id: splits it is in}."""
    found: dict[str, set[str | None]] = {}
    for name, split in file.splits.items():
        found.setdefault(name[:length], set()).add(split)
    return found


def test_official(manifest: Manifest, tmp_path: Path) -> None:
    report = write_split(manifest, tmp_path / "s.jsonl", "official", {})
    assert report.file.splits == {s.id: s.split for s in manifest.samples}
    assert report.warnings == () and report.lines()[-1] == f"  SHA-256 {report.file.sha256}"


def test_folds_keep_sessions_or_speakers_whole(manifest: Manifest, tmp_path: Path) -> None:
    tested: list[str] = []
    for fold in range(3):
        given = {"fold": fold, "folds": 3, "seed": 1}
        report = write_split(manifest, tmp_path / "s.jsonl", "k-fold", given)
        assert all(len(found) == 1 for found in places(report.file, 2).values())
        assert report.warnings == () and report.counts.splits == {
            "train": 40,
            "val": 40,
            "test": 40,
        }
        tested += [name for name, split in report.file.splits.items() if split == "test"]
    assert sorted(tested) == sorted(s.id for s in manifest.samples)
    given = {"fold": 0, "folds": 4, "by": "speaker", "val": False}
    report = write_split(manifest, tmp_path / "s.jsonl", "k-fold", given)
    assert all(len(found) == 1 for found in places(report.file, 4).values())
    assert set(report.file.splits.values()) == {"train", "test"}


def test_leave_one_out(manifest: Manifest, tmp_path: Path) -> None:
    given = {"group": "s2", "val_group": "s3"}
    report = write_split(manifest, tmp_path / "s.jsonl", "leave-one-group-out", given)
    found = places(report.file, 2)
    assert (found["s2"], found["s3"], found["s0"]) == ({"test"}, {"val"}, {"train"})
    given = {"group": "s2-a", "by": "speaker"}
    report = write_split(manifest, tmp_path / "s.jsonl", "leave-one-group-out", given)
    assert report.warnings == (
        "1 of 6 groups are in more than one split, e.g. 's2': scores will be on groups seen in "
        "training",
    )


def test_random_says_how_many_speakers_leak(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.jsonl"
    words = ["split", str(manifest.path), "--scheme", "random-80-10-10", "--out", str(out)]
    cli.app([*words, "--seed", "4"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "WARNING: 12 of 12 speakers are in more than one split, e.g. 's0-a'" in told
    report = write_split(manifest, tmp_path / "t.jsonl", "random-80-10-10", {"seed": 4})
    assert out.read_bytes() == (tmp_path / "t.jsonl").read_bytes()
    by_label = {s.id: s.targets.emotion for s in manifest.samples}
    tested = Counter(by_label[n] for n, split in report.file.splits.items() if split == "test")
    assert tested == {"happy": 5, "sad": 4, "neutral": 4}
    other = write_split(manifest, tmp_path / "u.jsonl", "random-80-10-10", {"seed": 5})
    assert other.file.splits != report.file.splits


def test_a_hash_of_the_id_decides_whatever_else_is_there(
    manifest: Manifest, tmp_path: Path
) -> None:
    given = {"fold": 1, "folds": 3}
    whole = write_split(manifest, tmp_path / "whole.jsonl", "id-hash", given).file.splits
    assert set(whole.values()) == {"train", "test"}
    half = replace(manifest, samples=manifest.samples[::2])
    found = write_split(half, tmp_path / "half.jsonl", "id-hash", given).file.splits
    assert found == {name: whole[name] for name in found} and len(found) == 60


def test_without_groups(tmp_path: Path) -> None:
    loose = corpus(tmp_path / "m.jsonl", group=None, speaker=None, split=None)
    given: dict[str, Any] = {"fold": 1}
    with pytest.raises(EmollamaError, match="has no group to split by; use '--by none'"):
        write_split(loose, tmp_path / "s.jsonl", "k-fold", given)
    report = write_split(loose, tmp_path / "s.jsonl", "k-fold", {**given, "by": "none"})
    assert report.counts.splits["test"] in (23, 24, 25)
    assert report.notes == ("no sample names a speaker or a group, so leaks cannot be detected",)
    with pytest.raises(EmollamaError, match="no sample has a split; choose another scheme"):
        write_split(loose, tmp_path / "t.jsonl", "official", {})
    assert not (tmp_path / "t.jsonl").exists()


def test_labels_rarer_than_folds_and_sentiment(tmp_path: Path) -> None:
    samples = [
        Sample(id=f"{i}", group=f"g{i}", targets=Targets(sentiment=(i - 6) / 2)) for i in range(12)
    ]
    write_manifest(tmp_path / "m.jsonl", "mosi", get_label_set("mosei"), samples)
    found = read_manifest(tmp_path / "m.jsonl")
    report = write_split(found, tmp_path / "s.jsonl", "k-fold", {"fold": 0, "folds": 8})
    assert report.counts.splits["test"] in (1, 2)


@pytest.mark.parametrize(
    ("scheme", "given", "said"),
    [
        ("kfold", {}, "--scheme 'kfold' is unknown; did you mean 'k-fold'"),
        ("k-fold", {}, "scheme 'k-fold' needs --fold"),
        ("k-fold", {"fold": 5}, "fold 5 does not exist; there are 0 to 4"),
        ("k-fold", {"fold": 0, "folds": 2}, "folds must be at least 3"),
        ("k-fold", {"fold": 0, "folds": 7}, "7 folds need at least 7 groups; there are 6"),
        ("official", {"seed": 1}, "--seed: scheme 'official' does not take it"),
        ("random-80-10-10", {"val_group": "s1"}, "--val-group: .* it takes --seed"),
        ("leave-one-group-out", {}, "needs --group"),
        ("leave-one-group-out", {"group": "s1", "by": "none"}, "needs --by group or --by speaker"),
        (
            "leave-one-group-out",
            {"group": "s1", "val_group": "s1"},
            "both for validation and for test",
        ),
        ("leave-one-group-out", {"group": "s9"}, "group 's9' has no samples"),
        ("amst-crema-d", {}, "needs --lists"),
    ],
)
def test_mistakes(
    manifest: Manifest, tmp_path: Path, scheme: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(EmollamaError, match=said):
        write_split(manifest, tmp_path / "s.jsonl", scheme, given)
    assert not (tmp_path / "s.jsonl").exists()


def test_the_help_names_every_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.app(["split", "--help"])
    told = "".join(c for c in capsys.readouterr().out if c.isalnum() or c == "-")
    assert [name for name in DEFAULTS if name not in told] == []
