"""Commands where a system lacks what Linux has; simulated, for no macOS or Windows is at hand."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module, reload
from pathlib import Path
from typing import Any

import pytest

from emollama.cli.app import app
from emollama.cli.quickstart import Stage, _timed
from emollama.fusion.configuration import ModalitySection
from emollama.manifest.sample import Manifest, read_manifest
from emollama.merr.cli import app as merr
from tests.media.recording import record

CLIPS = 5
PROCESSORS = 3


class Started(Exception):  # noqa: N818
    """A pool of so many workers would be started."""


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """A system that does not tell a process its processors, and clips; pools are not started."""

    def pool(size: int, *_: Any, **__: Any) -> None:
        raise Started(size)

    for room in ("workers.clip_pool", "corpora.doctor.examine", "fusion.data.raw_reading",
                 "merr.measure.stage"):  # fmt: skip
        monkeypatch.setattr(import_module(f"emollama.{room}"), "ClipPool", pool)
    monkeypatch.setattr(import_module("emollama.merr.measure.stage"), "_BATCH", 1)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: PROCESSORS)
    (tmp_path / "media").mkdir()
    lines = ["id,path,text,label,split"]
    for i in range(CLIPS):
        record(tmp_path / f"media/clip-{i}.mp4", seconds=0.6 + i / 10, size=(32, 24), fps=10)
        lines.append(f"clip-{i},media/clip-{i}.mp4,Words.,happy,train")
    (tmp_path / "clips.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    app(["prepare", "csv", "clips.csv", "--out", "manifest.jsonl"], standalone_mode=False)
    return read_manifest(tmp_path / "manifest.jsonl")


COMMANDS = {
    "extract": (app, "extract manifest.jsonl --store store --encoders prosody"),
    "doctor": (app, "doctor manifest.jsonl"),
    "merr build": (merr, "build media --out built --options refine.kind=template"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_start_a_worker_a_processor(corpus: Manifest, command: str) -> None:
    run, words = COMMANDS[command]
    with pytest.raises(Started, match=f"^{PROCESSORS}$"):
        run(words.split(), standalone_mode=False)


def test_raw_reading_starts_a_worker_a_processor(
    corpus: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = import_module("emollama.fusion.data.raw_reading")
    monkeypatch.setattr(reading, "FEW", 1)
    section = ModalitySection(name="face", channel="face", kind="frames")
    with pytest.raises(Started, match=f"^{PROCESSORS}$"):
        reading.read_raw(corpus, corpus.samples, [section])


def test_quickstart_tells_seconds_where_memory_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(os, "wait4")
    seconds, megabytes = _timed(Stage("said", (sys.executable, "-c", "print('done')")))
    assert seconds > 0 and megabytes is None
    assert "done" in capfd.readouterr().out


def test_private_folders_without_file_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import emollama.serving.private as private

    with monkeypatch.context() as system:
        system.setitem(sys.modules, "fcntl", None)
        system.setattr(tempfile, "tempdir", str(tmp_path))
        system.delattr(os, "getuid")
        try:
            made = reload(private).PrivateFolder()
            assert made.path.is_dir() and made.path.parent == tmp_path
            assert private.remove_stale(tmp_path) == []
            made.close()
            assert not made.path.exists()
        finally:
            system.undo()
            reload(private)


def test_a_limit_of_memory_that_cannot_be_set_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from emollama.serving.decoders import limit_memory

    monkeypatch.setitem(sys.modules, "resource", None)
    limit_memory(1 << 30)
    said = capsys.readouterr().err
    assert said.startswith("note: ") and "memory" in said and said.count("\n") == 1
