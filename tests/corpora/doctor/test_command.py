"""`emollama doctor` as users type it: exit codes, tables, one line for a mistake."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from emollama.cli import app as cli
from emollama.corpora.doctor import KINDS
from tests.corpora.doctor.made import Corpus

ROOT = Path(__file__).parents[3]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    capsys.readouterr()
    before, sys.argv = sys.argv, ["emollama", "doctor", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            cli.main()
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, out, err


def test_errors_exit_with_1_and_warnings_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.add("[bold]silent", video=corpus.film("s.mp4", level=0.0))
    path = corpus.write()
    code, out, err = run(capsys, path, "--no-faces", "--min-label", 1, "--workers", 1)
    assert code == 0 and "errors: 0, warnings: 1" in out and "[bold]silent" in out
    assert re.search(r"13 clips checked in [\d.]+ s \([\d.]+ clips/s\), 0 kept", out)
    assert re.search(r"13/13 clips, [\d.]+ clips/s, 0 s left", err)
    report = json.loads((corpus.folder / "manifest-doctor" / "report.json").read_text())
    assert report["kinds"] == {"silent": 1} and report["findings"][0]["ids"] == ["[bold]silent"]

    corpus.add("leak", "test", video=corpus.film("l.mp4"), group="group of train-0")
    corpus.write()
    code, out, _ = run(capsys, path, "--no-faces", "--min-label", 1, "--workers", 1)
    assert code == 1 and "errors: 1, warnings: 1" in out
    report = json.loads((corpus.folder / "manifest-doctor" / "report.json").read_text())
    assert report["findings"][0] == {
        "severity": "error",
        "kind": "group in several splits",
        "ids": ["train-0", "leak"],
        "detail": "group 'group of train-0': 1 in train, 1 in test",
    }
    assert "1 clips checked" in out and "13 kept from before" in out
    assert run(capsys, path, "--no-faces")[1].count("have not changed") == 1


def test_words_alone_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.samples = [s.model_copy(update={"video": None}) for s in corpus.samples]
    code, out, err = run(capsys, corpus.write(), "--out", tmp_path / "out")
    assert code == 0 and "no sample names media" in out and err == ""
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"report.json", "distributions.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-seconds", 70], "--min-seconds 70 must be 0 or more and below --max-seconds 60"),
        (["--tolerance", -1], "--tolerance -1: must be 0 or more"),
        (["--silence", 3], "--silence 3: must be 0 or less, in dB relative to full scale"),
        (["--workers", -1], "--workers must be 0 or more"),
        (["--store", "nowhere"], "nowhere: is not a folder (no such folder)"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[object], message: str
) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.samples = [s.model_copy(update={"video": None}) for s in corpus.samples]
    code, _, err = run(capsys, corpus.write(), *options)
    assert code == 2 and err.startswith("error: ") and message in err and err.count("\n") == 1


def test_a_manifest_without_a_usable_line_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.samples, corpus.lines = [], ['{"id": 3}']
    code, _, err = run(capsys, corpus.write())
    assert code == 2 and "holds no samples, no line is valid" in err
    code, _, err = run(capsys, tmp_path / "nowhere.jsonl")
    assert code == 2 and "nowhere.jsonl: cannot be read" in err


def test_every_kind_of_finding_is_explained() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \| (error|warning) \|", page, flags=re.MULTILINE))
    assert rows == {name: kind.severity for name, kind in KINDS.items()}
