"""What other programs make of the exports: placeholders, splits, spans, names with blanks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emollama.manifest.sample import read_manifest
from emollama.merr.build import Build
from emollama.merr.export import run_export
from emollama.merr.stagefile import read_rows
from emollama.merr.stages import STAGES
from tests.merr.rows import build, measured, write

CLIPS = 6


def exported(out: Path, said: list[str], **changes: dict[int, dict[str, Any]]) -> Build:
    """A build of hand-written rows, some fields of some stages' rows changed, up to its exports."""
    echoed: list[str] = []
    made = build(out, refine={"kind": "template"}, select={"duplicates": 1.0, "neutral": 1.0})
    made.echo = echoed.append
    measured(made, CLIPS)
    for name, fields in changes.items():
        rows = list(read_rows(made.stages / f"{name}.jsonl"))
        for i, new in fields.items():
            changed = rows[i] | new
            rows[i] = {k: v for k, v in changed.items() if k not in new or v is not None}
        write(made, name, rows)
    for name in ("norms", "emotion", "peak", "visual", "tone", "caption", "refine", "select"):
        STAGES[name].run(made)
    run_export(made)
    said += echoed
    return made


def conversations(out: Path, name: str = "merr_built") -> list[dict[str, Any]]:
    """What LLaMA-Factory loads of a data set: rows with the columns that are named for it."""
    info = json.loads((out / "dataset_info.json").read_text())[name]
    rows = json.loads((out / info["file_name"]).read_text())
    columns = info["columns"]
    assert all(kind in columns for row in rows for kind in ("videos", "audios") if kind in row)
    return [{column: row.get(field) for column, field in columns.items()} for row in rows]


def test_what_is_said_adds_no_placeholder_to_a_conversation(tmp_path: Path) -> None:
    text = "Look at the <video> and <audio> on <image> four."
    made = exported(tmp_path, [], transcript={1: {"text": text}})
    rows = conversations(made.out)
    for row in rows:
        whole = "".join(m["content"] for m in row["messages"])
        assert [whole.count(f"<{kind}>") for kind in ("video", "audio", "image")] == [1, 0, 0]
        assert len(row["videos"]) == 1
    assert read_manifest(made.out / "manifest.jsonl").samples[1].text == text


def test_a_sound_alone_is_named_as_one(tmp_path: Path) -> None:
    made = exported(tmp_path, [], clips={2: {"video": None, "audio": "media/c.wav"}})
    sounds = [row for row in conversations(made.out) if row["audios"]]
    assert [row["audios"] for row in sounds] == [["media/c.wav"]] * 2
    assert all("<audio>" in row["messages"][0]["content"] for row in sounds)


def test_what_is_kept_for_testing_is_in_a_file_of_its_own(tmp_path: Path) -> None:
    splits = {i: {"split": s} for i, s in enumerate(["train", "train", "test", "val", "test"])}
    made = exported(tmp_path, [], clips=splits)
    counts = {n: len(conversations(made.out, n)) for n in ("merr_built", "merr_built_test")}
    assert counts["merr_built_test"] == 4
    assert {row["videos"][0] for row in conversations(made.out, "merr_built_test")} == {
        "media/clip-0002.mp4", "media/clip-0004.mp4",
    }  # fmt: skip
    tested = ("clip-0002", "clip-0004", "clip-0003")
    assert not [r for r in conversations(made.out) if Path(r["videos"][0]).stem in tested]


def test_spans_of_a_file_are_no_conversations_and_that_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    made = exported(tmp_path, said, clips={0: {"start": 1.0, "end": 2.0}})
    files = [json.loads(p.read_text()) for p in tmp_path.glob("sharegpt*.json")]
    assert sum(map(len, files)) == 2 * (CLIPS - 1)
    assert any("1 clip is a span" in line for line in said)
    assert "span" in (made.out / "CARD.md").read_text()


def test_a_name_with_a_blank_is_left_out_of_the_lists_alone(tmp_path: Path) -> None:
    said: list[str] = []
    names = ("clips", "units", "voice", "transcript", "words")
    made = exported(tmp_path, said, **{name: {3: {"id": "my clip"}} for name in names})
    coarse = json.loads((made.out / "MERR_coarse_grained.json").read_text())
    listed = (made.out / "MERR_coarse_grained.txt").read_text().splitlines()
    assert "my clip" in coarse and len(listed) == CLIPS - 1
    assert all(len(line.split()) == 4 for line in listed)
    assert any("'my clip'" in line and "blank" in line for line in said)


def test_the_card_tells_source_rules_and_prompts(tmp_path: Path) -> None:
    made = exported(tmp_path, [])
    card = (made.out / "CARD.md").read_text()
    assert "6 clips, 18 s" in card and "`media`" in card
    assert "AU06 1, AU12 2" not in card  # expressions have no rules
    assert "expert in reading emotions" not in card  # nobody was asked
    made.settings.refine.kind = "endpoint"
    made.settings.faces.openface = tmp_path
    run_export(made)
    card = (made.out / "CARD.md").read_text()
    assert "expert in reading emotions" in card and "- happy: AU06 1, AU12 2" in card


def test_what_is_exported_is_in_the_record(tmp_path: Path) -> None:
    made = exported(tmp_path, [])
    record = json.loads((made.out / "record.json").read_text())
    assert record["export"]["in"] == record["export"]["out"] == CLIPS
    before = (made.out / "CARD.md").read_bytes()
    run_export(made)
    assert (made.out / "CARD.md").read_bytes() == before
