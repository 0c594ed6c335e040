"""The tab for recordings: analysed in its own process, named, asked about and taken home."""

from __future__ import annotations

import csv
import io
import os
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from emollama.base.files import read_json, write_json
from emollama.demo.recording import shelf as shelves
from emollama.demo.recording.callbacks import Recordings
from emollama.demo.recording.desk import RecordingDesk
from emollama.demo.recording.shelf import Shelf
from emollama.demo.recording.view import told_progress
from emollama.demo.status import Changes
from emollama.manifest.sample import read_manifest
from emollama.media.clip import SAMPLE_RATE
from emollama.recording.answering.samples import segment_samples, write_samples
from emollama.recording.result.kept import ANALYSIS, keep_analysis
from emollama.serving.jobs import Asked, Job, Progress
from emollama.session import Session, open_session
from tests.demo.conftest import SETTINGS
from tests.features.made import write_wav
from tests.media.vowels import vowels
from tests.recording.export.made import LABELS, STEM, analysis
from tests.session.people_made import fusion_of_people


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(fusion_of_people(tmp_path_factory.mktemp("people")), describe=False)


@pytest.fixture
def tab(answering: Session, tmp_path: Path) -> Iterator[Recordings]:
    shelf = Shelf(answering, SETTINGS, tmp_path / "recordings")
    with shelf.open():
        yield Recordings(shelf, tmp_path / "saved")


def talk(path: Path) -> str:
    """Two voices in turn, 8 s."""
    sound = np.zeros(8 * SAMPLE_RATE, np.float32)
    for start, pitch in ((0.5, 110), (3, 215), (5.5, 112)):
        voice, first = vowels(pitch, 2.0), round(start * SAMPLE_RATE)
        sound[first : first + len(voice)] = voice
    write_wav(path, sound)
    return str(path)


def last(changes: Iterator[Changes]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in changes:
        found |= one
    return found


def error_of(changes: Iterator[Changes]) -> str:
    state = str(last(changes)["state"])
    assert state.startswith('<p role="alert"') and "\n" not in state, state
    return state


def begun(tab: Recordings, path: str) -> RecordingDesk:
    desk = RecordingDesk()
    found = last(tab.begin(desk, path, True, False, False, None))
    assert desk.job is not None, found["state"]
    return desk


def polled(tab: Recordings, desk: RecordingDesk) -> dict[str, Any]:
    """The page as it is once the analysis has ended."""
    found: dict[str, Any] = {}
    end = time.monotonic() + 240
    while "timer" not in found:
        assert time.monotonic() < end, found
        time.sleep(0.05)
        found |= last(tab.poll(desk))
    return found


@pytest.fixture
def found(answering: Session, tmp_path: Path) -> Iterator[tuple[Recordings, RecordingDesk]]:
    """A tab with an analysis that is there already; its recording's name is like markup."""
    folder = tmp_path / "recordings"
    out = folder / "job-1" / "out"
    out.mkdir(parents=True)
    talk(folder / "job-1" / "recording")
    made = analysis(folder / "job-1" / "recording")
    keep_analysis(made, out / ANALYSIS)
    write_samples(segment_samples(made.segments, made.recording, out, STEM, LABELS, True))
    job = Job("job-1", "The <talk>.wav", time.time(), Asked(), "done")
    write_json(folder / "job-1" / "job.json", {**vars(job), "asked": vars(job.asked)})
    shelf = Shelf(answering, SETTINGS, folder)
    with shelf.open():
        yield Recordings(shelf, tmp_path / "saved"), RecordingDesk(job.id)


def test_names_questions_files_and_an_hour_later(
    found: tuple[Recordings, RecordingDesk], tmp_path: Path
) -> None:
    tab, desk = found
    shown = last(tab.poll(desk))
    report = shown["report"]
    assert "gradio_api/file=" in report and "<script" not in report  # all of it is an attribute
    assert "The &amp;lt;talk&amp;gt;.wav" in report and "Article 5(1)(f)" in report
    assert shown["who"]["choices"] == ["A", "B"] and "&lt;video" not in report
    assert "&lt;video" in last(tab.show_faces(desk, True))["report"]

    angry = last(tab.ask(desk, "When does B get upset?"))["found"]
    assert "1 time. Segments of B whose most probable label is one of angry" in angry
    assert 'data-seek="4.00">0:04–0:07</button> <b>B</b> angry 70 %: &lt;/script&gt;' in angry
    assert "No segment fits." in last(tab.ask(desk, "When is B worried?"))["found"]
    assert "ask when somebody" in error_of(tab.ask(desk, "what is for lunch?"))
    named = last(tab.rename(desk, "A", "Ann Lee"))
    assert "Ann Lee" in named["report"] and named["who"]["choices"] == ["Ann Lee", "B"]
    assert "there is no person &#x27;A&#x27;" in error_of(tab.rename(desk, "A", "Bo"))

    files = taken_home(tab, desk)
    assert {"segments.csv", "recording.eaf", "report.html", "manifest.jsonl"} < files.keys()
    assert not any(name.endswith(".wav") for name in files)
    rows = csv.DictReader(io.StringIO(files["segments.csv"].decode("utf-8-sig")))
    assert {row["person"] for row in rows} == {"Ann Lee", "B"}
    assert b"Ann Lee emotion" in files["recording.eaf"]
    assert str(tmp_path).encode() not in files["report.html"] + files["manifest.jsonl"]
    (tmp_path / "manifest.jsonl").write_bytes(files["manifest.jsonl"])
    first, second, *_ = read_manifest(tmp_path / "manifest.jsonl").samples
    assert (first.speaker, first.video) == (f"{STEM}-Ann Lee", "The <talk>.wav")
    assert (second.speaker, second.audio) == (f"{STEM}-B", "The <talk>.wav")
    one = last(tab.merge(desk, "B", "Ann Lee"))
    assert one["who"]["choices"] == ["Ann Lee"] and "merged by hand" in one["report"]
    assert last(tab.undo(desk))["who"]["choices"] == ["A", "B"]

    old = time.time() - SETTINGS.keep_seconds - 1
    os.utime(tab.jobs.folder / "job-1" / "job.json", (old, old))
    tab.shelf.expire()
    assert not (tab.jobs.folder / "job-1").exists()
    assert "removed, as everything is after an hour" in error_of(tab.ask(desk, "when is A sad?"))


def taken_home(tab: Recordings, desk: RecordingDesk) -> dict[str, bytes]:
    """The files of the zip."""
    saved = Path(last(tab.download(desk))["saved"])
    assert saved.name == "The <talk>-analysis.zip"
    with zipfile.ZipFile(saved) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_a_recording_from_upload_to_its_files(tab: Recordings, tmp_path: Path) -> None:
    path = talk(tmp_path / "The <talk>.wav")
    desk = begun(tab, path)
    shown = polled(tab, desk)
    assert desk.now is not None, shown["state"]
    names = [person.name for person in desk.now.people]
    assert shown["who"]["choices"] == names and "A" in names
    label = next(a.label for a in desk.now.answers if a.label)
    found = last(tab.ask(desk, f"When is A {label}?"))["found"]
    assert "Segments of A whose most probable label is" in found
    last(tab.rename(desk, "A", "Ann"))
    files = taken_home(tab, desk)
    rows = csv.DictReader(io.StringIO(files["segments.csv"].decode("utf-8-sig")))
    assert {row["person"] for row in rows} == {"Ann", *names[1:]}
    assert b"recording-Ann" in files["manifest.jsonl"]
    desk = begun(tab, talk(tmp_path / "talk.wav"))
    tab.jobs.recording(tab.jobs.get(desk.job or "")).write_bytes(b"broken since")
    told = polled(tab, desk)["state"]
    assert "talk.wav: the analysis failed: " in told and str(tmp_path) not in told


def test_what_cannot_be_analysed_is_told_in_a_line(
    tab: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = RecordingDesk()
    path = talk(tmp_path / "talk.wav")
    assert "choose a recording" in error_of(tab.begin(desk, None, True, False, False, None))
    assert "has agreed first" in error_of(tab.begin(desk, path, False, False, False, None))
    assert "1 to 1000, not -2" in error_of(tab.begin(desk, path, True, False, False, -2))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no recording")
    told = error_of(tab.begin(desk, str(broken), True, False, False, None))
    assert "broken.mp4: is not a readable media file" in told and str(tmp_path) not in told
    monkeypatch.setattr(shelves, "MOST_MINUTES", 0.1)
    told = error_of(tab.begin(desk, path, True, False, False, None))
    assert "talk.wav: lasts 0:08; the page takes recordings of at most 0.1 minutes" in told
    monkeypatch.setattr(shelves, "MOST_MINUTES", 60)
    tab.shelf.settings = replace(SETTINGS, max_bytes=1 << 10)
    assert "at most" in error_of(tab.begin(desk, path, True, False, False, None))
    assert tab.jobs.all() == [] and desk.job is None
    assert "analyse a recording first" in error_of(tab.ask(desk, "when is A sad?"))


def test_one_that_is_stopped_or_fails_leaves_nothing(answering: Session, tmp_path: Path) -> None:
    shelf = Shelf(answering, SETTINGS, tmp_path / "recordings")  # whose jobs wait
    tab = Recordings(shelf, tmp_path / "saved")
    path = str(tmp_path / "talk.wav")
    desk = begun(tab, talk(tmp_path / "talk.wav"))
    assert not Path(path).exists()  # moved, so that it is there once
    assert "talk.wav: begins" in last(tab.poll(desk))["state"]
    assert last(tab.poll(desk))["state"] == gr.skip()  # nothing new
    assert "is removed" in last(tab.stop(desk))["state"]
    assert tab.jobs.all() == [] and desk.job is None
    # A second one takes the place of the first.
    desk = begun(tab, talk(tmp_path / "talk.wav"))
    first = desk.job
    last(tab.begin(desk, talk(tmp_path / "talk.wav"), True, False, False, None))
    assert [job.id for job in tab.jobs.all()] == [desk.job] and desk.job != first
    shelf.jobs.close()
    kept = shelf.jobs.folder / (desk.job or "") / "job.json"
    write_json(kept, {**read_json(kept), "state": "failed", "error": "recording: is not readable"})
    shelf = Shelf(answering, SETTINGS, tmp_path / "recordings")
    tab = Recordings(shelf, tmp_path / "saved")
    told = last(tab.poll(desk))
    assert "talk.wav: the analysis failed: is not readable" in told["state"]
    assert 'role="alert"' in told["state"] and tab.jobs.all() == [] and "timer" in told
    shelf.jobs.close()


def test_progress_is_told_by_stage() -> None:
    job = Job("job-1", "talk.mp4", 0.0, Asked(), "running")
    told = told_progress(
        job, 0, Progress("minutes read", 1.5, 4.0, "2.1 times real time, 71 s left")
    )
    assert told == (
        "talk.mp4: step 1 of 4, looking and listening: 1.5 of 4 minutes, "
        "2.1 times real time, 71 s left"
    )
    assert "first half minute" in told_progress(job, 0, None)
    assert "waits for 2 other recordings" in told_progress(replace(job, state="queued"), 2, None)
