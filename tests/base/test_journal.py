"""The journal survives a kill at any byte and a full disk, and reads files of earlier releases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.base.journal import Journal, append_row
from emollama.corpora.doctor.look import FACE, MEDIA, FaceFacts, FileFacts, MediaFacts
from emollama.corpora.doctor.record import LOOKS, Record
from emollama.evaluation.passes import Pass, run_passes
from emollama.merr.stagefile import StageFile, row_key
from emollama.workers.ranks import Ranks
from emollama.workers.worker import Failure


def key_of(line: bytes) -> str:
    return str(json.loads(line)["key"])


def journal(folder: Path, name: str = "a") -> Journal[str]:
    return Journal(folder / f"{name}.jsonl", key_of, lambda: sorted(folder.glob("?.jsonl")))


def test_a_kill_at_any_byte_loses_the_last_row_and_no_other(tmp_path: Path) -> None:
    rows = [{"key": f"k{i}", "text": "ä\u2028“" * i} for i in range(3)]
    whole = journal(tmp_path / "whole")
    for row in rows:
        whole.add(row["key"], row)
    content = whole.path.read_bytes()
    assert content.count(b"\n") == 3
    for cut in range(len(content) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "a.jsonl").write_bytes(content[:cut])
        # A reader passes over the torn line; the file is another's, who may be writing.
        assert sum(r["key"] in journal(folder, "b") for r in rows) == content[:cut].count(b"\n")
        assert (folder / "a.jsonl").read_bytes() == content[:cut]
        again = journal(folder)
        for row in rows:
            if row["key"] not in again:
                again.add(row["key"], row)
        assert again.path.read_bytes() == content


def test_writers_see_each_other_s_rows_and_the_last_of_a_key_counts(tmp_path: Path) -> None:
    one, two = journal(tmp_path), journal(tmp_path, "b")
    one.add("x", {"key": "x", "n": 1})
    assert "x" not in two
    two.reload()
    two.add("x", {"key": "x", "n": 2})
    one.reload()
    assert json.loads(one.line("x"))["n"] == json.loads(two.line("x"))["n"] == 2


def test_compacting_is_whole_or_not_at_all(tmp_path: Path) -> None:
    kept, into = journal(tmp_path), tmp_path / "whole"
    for k in "ab":
        kept.add(k, {"key": k})

    def rows(last: str) -> list[dict[str, str]]:
        return [{"key": key_of(kept.line(k))} for k in ("b", last)]

    with pytest.raises(KeyError):
        kept.compact(into, (row for k in ("b", "c") for row in [json.loads(kept.line(k))]))
    assert not into.exists() and "a" in journal(tmp_path)
    kept.compact(into, iter(rows("a")))
    assert into.read_text() == '{"key":"b"}\n{"key":"a"}\n' and not kept.path.exists()


def test_what_cannot_be_written_leaves_nothing_and_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to("/dev/full")
    with pytest.raises(EmollamaError, match=r"a\.jsonl: cannot be written: No space"):
        append_row(tmp_path / "a.jsonl", {"key": "k"}, sync=True)
    with pytest.raises(ValueError, match="JSON"):
        append_row(tmp_path / "b.jsonl", {"key": float("nan")})
    append_row(tmp_path / "b.jsonl", {"key": "\ud800"})
    assert (tmp_path / "b.jsonl").read_text() == '{"key":"?"}\n'


def test_a_line_that_should_not_be_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"key":"k"}\n{"kez":"k"}\n')
    with pytest.raises(EmollamaError, match=r"a\.jsonl:2: is not a valid row; remove"):
        journal(tmp_path)


# --- files as the release wrote them that had a journal for each of these -----------------------


def test_rows_of_a_stage(tmp_path: Path) -> None:
    (tmp_path / "journals").mkdir()
    (tmp_path / "journals/tone.1-of-2.jsonl").write_text(
        '{"key":"f5ea6ccd131c337348b3","status":"ok","text":"low “pitch” 0"}\n'
        '{"key":"b389ef943038f12799b8","status":"ok","text":"low “pitch” 1"}\n'
    )
    key = row_key("tone", 1, None, "1")
    assert StageFile(tmp_path, "tone").get(key) == {"status": "ok", "text": "low “pitch” 1"}


def test_what_a_doctor_saw(tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text(
        '{"id":"clip-ä","signature":"s","check":"media","fingerprint":"1","facts":{"video":'
        '{"digest":"d","stated":10.0,"picture":[0.0,1.5],"sound":null,"has_picture":true,'
        '"has_sound":false,"frames":8,"level":-20.0,"sound_digest":null,"damaged":0},"audio":'
        '{"reason":"missing","detail":"a.wav: does not exist"}}}\n'
        '{"id":"clip-ä","signature":"s","check":"face","fingerprint":"2","facts":{"frames":8,'
        '"with_face":3}}\n'
    )
    file = FileFacts("d", 10.0, (0.0, 1.5), None, True, False, 8, -20.0, None, 0)
    with Record(tmp_path, {MEDIA: "1", FACE: "2"}) as record:
        gone = Failure("missing", "a.wav: does not exist")
        assert record.get("clip-ä", "s", MEDIA) == MediaFacts(file, gone)
        assert record.get("clip-ä", "s", FACE) == FaceFacts(8, 3)


def test_answers_of_an_evaluation(tmp_path: Path) -> None:
    (tmp_path / "rank0.jsonl").write_text(
        '{"pass": "voice+words", "chunk": 0, "ms": 1.5, "answers": {"a": {"answer": "“a”", '
        '"scores": [-0.5, -1.25]}, "b": {"answer": "“b”", "scores": [-0.5, -1.25]}}}\n'
        '{"pass": "voice+words", "chu'
    )
    asked: list[str] = []

    def ask(ids: list[str]) -> list[dict[str, object]]:
        asked.extend(ids)
        return [{"answer": i} for i in ids]

    found = run_passes([Pass("voice+words", (("a", "b"), ("c",)), ask)], tmp_path, Ranks())
    assert asked == ["c"] and list(found["voice+words"]) == ["a", "b", "c"]
    assert found["voice+words"]["a"] == {"answer": "“a”", "scores": [-0.5, -1.25], "ms": 1.5}
