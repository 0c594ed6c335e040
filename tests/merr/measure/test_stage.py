"""Which clips are measured again: whose files, limits or options have changed, and no others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import get_label_set
from emollama.merr.build import Build
from emollama.merr.measure import stage
from emollama.merr.measure.tools import CLIPS, TRANSCRIPT, VOICE, View, build_tool
from emollama.merr.measure.transcriber import TranscriptRows
from emollama.merr.settings import Settings
from emollama.workers.worker import Failure, Job
from tests.media.recording import record
from tests.merr.rows import _nothing, quiet


def test_what_is_heard_depends_on_how_much_of_a_clip_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TranscriptRows, "fingerprint", "weights")
    for name in (VOICE, TRANSCRIPT):
        prints = [build_tool(name, Settings(longest=s)).fingerprint for s in (5, 60, 60)]
        assert prints[0] != prints[1] == prints[2]


def test_a_file_is_another_clip_as_a_sound_than_as_a_video(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", seconds=1.0)
    tool = build_tool(CLIPS, Settings())
    jobs = [Job("a", path, None, None, None, None, (CLIPS,)),
            Job("a", None, path, None, None, None, (CLIPS,))]  # fmt: skip
    rows = [tool.look(View(job, Settings())) for job in jobs]
    assert rows[0]["status"] == rows[1]["status"] == "ok"
    assert rows[0]["content"] != rows[1]["content"]


def test_a_clip_that_failed_is_listed_again_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clips").mkdir()
    record(tmp_path / "clips" / "a.mp4", seconds=1.0)

    def listed(**settings: bool) -> dict[str, int]:
        made = Build(tmp_path / "out", Settings(**settings), tmp_path / "clips", bar=quiet,
                     echo=_nothing)  # fmt: skip
        return dict(stage.list_clips(made).reasons)

    with monkeypatch.context() as patched:
        gone = [{CLIPS: Failure("unforeseen", "the disk was away")}]
        patched.setattr(stage, "look_at", lambda jobs, tools, settings: gone)
        assert listed() == {"unforeseen": 1}
    assert listed() == {"unforeseen": 1}
    assert listed(retry_failed=True) == {}
    assert listed() == {}


def test_a_link_that_leads_nowhere_is_counted(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    record(tmp_path / "clips" / "a.mp4", seconds=1.0)
    (tmp_path / "clips" / "b.mp4").symlink_to(tmp_path / "gone.mp4")
    made = Build(tmp_path / "out", Settings(), tmp_path / "clips", bar=quiet, echo=_nothing)
    counts = stage.list_clips(made)
    assert (counts.came, counts.went) == (2, 1)


def test_of_a_long_clip_the_beginning_is_the_clip(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    record(tmp_path / "clips" / "a.mp4", seconds=3.0)
    manifest = tmp_path / "m.jsonl"
    header = {"version": 1, "corpus": "x", "labels": get_label_set("mer2023").to_dict()}
    rows = [{"manifest": header}, {"id": "b", "video": "clips/a.mp4", "start": 0.5, "end": 2.9}]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for source, start in ((tmp_path / "clips", 0.0), (manifest, 0.5)):
        made = Build(tmp_path / "out", Settings(longest=2.0), source, bar=quiet, echo=_nothing)
        stage.list_clips(made)
        (row,) = made.file(CLIPS).rows()
        assert (row["start"], row["end"], row["seconds"]) == (start, start + 2.0, 2.0)
        assert row["pictures"] == 50
    whole = Build(tmp_path / "o", Settings(), tmp_path / "clips", bar=quiet, echo=_nothing)
    stage.list_clips(whole)
    assert not {"start", "end"} & set(next(whole.file(CLIPS).rows()))


def test_files_whose_names_are_no_text_are_counted_and_the_others_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    data = record(folder / "a.mp4", seconds=1.0).read_bytes()
    for name in (b"b\xff.mp4", b"b\xff.wav", b"c\xff.mp4"):
        (folder / os.fsdecode(name)).write_bytes(data)
    made = Build(tmp_path / "out", Settings(), folder, bar=quiet, echo=_nothing)
    assert stage.list_clips(made).reasons == {"unusable name": 3}
    rows = [json.loads(line) for line in (tmp_path / "out/stages/clips.jsonl").open()]
    assert [row["id"] for row in rows if row["status"] == "ok"] == ["a"]
    told = sorted(row["detail"].split(":")[0] for row in rows if row["status"] == "rejected")
    assert told == ["b\\xff.mp4", "b\\xff.wav", "c\\xff.mp4"]
    assert len({row["id"] for row in rows}) == 4


def test_a_folder_of_such_files_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"b\xff.mp4")).write_bytes(b"")
    made = Build(tmp_path / "out", Settings(), tmp_path, bar=quiet, echo=_nothing)
    with pytest.raises(EmollamaError, match="no file has a valid name"):
        stage.list_clips(made)
