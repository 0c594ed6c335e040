"""A recording analysed by the command, at tiny size: killed and resumed, refused, broken off."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.fusion import artefact
from emollama.inputs.familiarity import UNLIKE
from emollama.manifest.labels import LabelSet
from emollama.manifest.sample import read_manifest
from emollama.media.clip import SAMPLE_RATE
from emollama.recording import analysis, blocks, work
from emollama.recording.analysis import Analyst, Options, tracks_of
from emollama.recording.answering import asking
from emollama.recording.answering.answers import failed, told_once
from emollama.recording.blocks import block_spans
from emollama.recording.parts import Analysis, SegmentAnswer
from emollama.recording.table import Named, RecordingsTable
from emollama.session import open_session
from tests import warm
from tests.features.made import write_wav
from tests.fusion.systems_made import LABELS, model_of, section
from tests.media.recording import record
from tests.media.small_whisper import save_whisper
from tests.media.vowels import vowels
from tests.session.people_made import ENCODER, fusion_of_people

TURNS = ((1, 110), (5, 215), (9, 112), (36, 218), (42, 115), (50, 222), (56, 118))
"""Start in seconds and pitch of each turn, of 2.5 s."""

KILLED = """
import os, signal, sys
from emollama.recording.work import Work
kind, left = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
def killing(keep):
    def kept(self, name, *more):
        global left
        keep(self, name, *more)
        left -= name.startswith(kind)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    return kept
Work.keep_arrays, Work.keep_row = killing(Work.keep_arrays), killing(Work.keep_row)
from emollama.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the voice that measures people."""
    return fusion_of_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two voices in turn, 62 s: three blocks, the last of them short."""
    sound = np.zeros(62 * SAMPLE_RATE, np.float32)
    for start, pitch in TURNS:
        voice = vowels(pitch, 2.5)
        sound[start * SAMPLE_RATE : start * SAMPLE_RATE + len(voice)] = voice
    path = tmp_path_factory.mktemp("media") / "talk.wav"
    write_wav(path, sound)
    return path


def command(talk: Path, out: Path, model: Path) -> list[object]:
    whisper = talk.parent / "whisper"
    if not whisper.exists():
        save_whisper(whisper)
    return ["analyse", talk, "--out", out, "--model", model, "--transcriber", whisper]


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*")
            if p.is_file()}  # fmt: skip


@pytest.fixture(scope="module")
def whole(talk: Path, model: Path) -> Path:
    """The folder of a run that nothing interrupted."""
    out = talk.parent / "whole"
    done = warm.run("-m", "emollama", *command(talk, out, model))
    assert done.returncode == 0, done.stderr
    assert "Article 5(1)(f)" in done.stderr and "times real time" in done.stderr
    return out


def test_killed_at_three_moments_and_resumed_gives_the_same_bytes(
    talk: Path, model: Path, whole: Path
) -> None:
    out = talk.parent / "killed"
    for kind, count in (("block", 1), ("words", 2), ("answers", 2)):
        process = warm.run("-c", KILLED, kind, count, *command(talk, out, model))
        assert process.returncode == -9, process.stderr
        assert (out / ".work").stat().st_mode & 0o777 == 0o700
        assert not (out / "record.json").exists()
        # Nothing by which somebody could be recognised is on disk.
        for path in (out / ".work").glob("block-*.npz"):
            names = set(np.load(path).files)
            assert not {n for n in names if "vectors" in n or "looks" in n}
    done = warm.run("-m", "emollama", *command(talk, out, model))
    assert done.returncode == 0, done.stderr
    assert files(out) == files(whole)
    assert not (out / ".work").exists() and not (out / "vectors.npz").exists()
    again = warm.run("-m", "emollama", *command(talk, out, model))
    assert again.returncode == 0 and "nothing to do" in again.stderr
    other = warm.run("-m", "emollama", *command(talk, out, model), "--coverage", "0.9")
    assert other.returncode == 2 and "calibration.json" in other.stderr
    other = warm.run("-m", "emollama", *command(talk, out, model), "--people", 2)
    assert other.returncode == 2 and "differs in --people (none, now 2)" in other.stderr


def test_each_segment_is_a_sample_that_predict_answers_the_same(
    talk: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = analysed(talk, tmp_path / "out", model, monkeypatch)
    manifest = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert [s.id for s in manifest.samples] == [s.id for s in found.segments]
    assert {s.group for s in manifest.samples} == {"talk"}
    assert manifest.samples[0].speaker == f"talk-{found.segments[0].person}"
    session = open_session(model, describe=False)
    answers = list(zip(manifest.samples, found.answers, strict=True))
    assert answers and any(a.without_norm not in (None, a.scores) for _, a in answers)
    for sample, answer in answers:
        assert sample.audio is not None
        look = session.look(manifest.media(sample.audio), sample.text, sample.start, sample.end)
        plain = session.answer(look, False).scores
        assert answer.without_norm == pytest.approx(plain, abs=1e-5)
        assert answer.by_channel == {"voice": answer.scores}


def analysed(
    recording: Path, out: Path, model: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> Analysis:
    """What the files would be written from."""
    caught: list[Analysis] = []
    keep: Callable[..., None] = lambda found, *_: caught.append(found)  # noqa: E731
    monkeypatch.setattr(analysis, "write_all", keep)
    options = Options(model, transcribe=False, **more)
    Analyst(options).analyse(recording, out, recording.stem)
    return caught[0]


def test_values_follow_a_person_over_time(
    talk: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = section("voice") | {"source": ENCODER.key, "width": ENCODER.width,
                              "fingerprint": ENCODER.fingerprint}  # fmt: skip
    frames = model_of("va_fclstm", {"width": 8, "regressor": [8]}, [one], "frames")
    about = artefact.About(labels=LabelSet("made", tuple(LABELS)))
    artefact.save({artefact.MAIN: frames}, about, tmp_path / "values", {}, "# card\n")
    found = analysed(talk, tmp_path / "out", model, monkeypatch, values=tmp_path / "values")
    for name, line in found.timelines.items():
        inside = np.zeros(len(line.times), bool)
        for segment in (s for s in found.segments if s.person == name):
            inside |= (segment.start <= line.times) & (line.times < segment.end)
        for values in line.values.values():
            assert (np.isfinite(values) == inside).all() and np.ptp(values[inside]) > 0
    with pytest.raises(EmollamaError, match=r"answers with values; give a model of labels"):
        Analyst(Options(tmp_path / "values")).analyse(talk, tmp_path / "other", "talk")


def test_a_film_without_faces_whose_sound_goes_on_longer(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = record(tmp_path / "film.mkv", seconds=2.0, sound_to=5.0, voice=True)
    found = analysed(film, tmp_path / "out", model, monkeypatch, keep_vectors=True)
    assert found.size == (64, 48) and found.duration == pytest.approx(5.0, abs=0.1)
    assert "the picture ends at 0:02, the sound at 0:05" in found.notes
    assert "no face is seen long enough to be followed" in found.notes
    assert [s.view for s in found.segments] == [None] * len(found.segments)
    kept = tmp_path / "out" / "vectors.npz"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert np.load(kept)["voices"].shape[1] == 256


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = record(tmp_path / "film.mkv", seconds=6.0, sound_rate=None)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    found = analysed(film, tmp_path / "out", model, monkeypatch)
    assert 1 < found.duration < 5 and not found.segments
    assert any(note.startswith("the file breaks off at 0:0") for note in found.notes)
    assert "no sound: nobody is heard" in found.notes


def test_a_disk_that_fills_loses_nothing(
    talk: Path, whole: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = talk.parent / "full"
    options = ["--model", model, "--no-transcribe"]
    real, room = np.savez, ["for one"]

    def savez(file: Any, **arrays: Any) -> None:
        try:
            room.pop()
        except IndexError:
            raise OSError(errno.ENOSPC, "No space left on device") from None
        real(file, **arrays)

    monkeypatch.setattr(work.np, "savez", savez)
    with pytest.raises(EmollamaError, match=r"block-0000\d\.npz: cannot be written: No space"):
        Analyst(Options(model, transcribe=False)).analyse(talk, out, "talk")
    assert len(list((out / ".work").glob("block-*.npz"))) == 1
    monkeypatch.undo()
    done = warm.run("-m", "emollama", "analyse", talk, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    with (out / "segments.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    with (whole / "segments.csv").open(encoding="utf-8-sig") as file:
        assert [row["label"] for row in rows] == [row["label"] for row in csv.DictReader(file)]


def test_several_recordings_share_a_table_and_failures_are_counted(
    talk: Path, model: Path, tmp_path: Path
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "short.wav").write_bytes(b"")
        write_wav(tmp_path / folder / "short.wav", vowels(120, 2.0))
    (tmp_path / "two" / "broken.mp4").write_bytes(b"not a film")
    out, options = tmp_path / "out", ["--model", model, "--no-transcribe"]
    for shard in ("1/2", "0/2"):
        done = warm.run("-m", "emollama", "analyse", tmp_path / "one", tmp_path / "two",
                        "--out", out, "--shard", shard, *options)  # fmt: skip
        assert done.returncode == (2 if shard == "1/2" else 0), done.stderr
    with (out / "recordings.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["folder"] for row in rows] == ["one-short.wav", "broken", "two-short.wav"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "is not a readable media file" in rows[1]["error"] and rows[0]["segments"] == "1"
    assert (out / "two-short.wav" / "manifest.jsonl").is_file()


def test_a_recording_that_is_removed_meanwhile_is_told_and_nothing_wrong_is_kept(
    talk: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module, name, block_count, segment_count in (
        (blocks, "decode_clip", 1, 0), (asking, "observe", 3, 1),
    ):  # fmt: skip
        copy, out = tmp_path / f"{name}.wav", tmp_path / name
        shutil.copyfile(talk, copy)
        real, first = getattr(module, name), threading.Lock()

        def removing(*args: Any, copy: Path = copy, work: Path = out / ".work", real: Any = real,
                     first: Any = first, **more: Any) -> Any:  # fmt: skip
            if not first.acquire(blocking=False):
                # Two blocks are read at once: whichever comes second waits for the other.
                until = time.monotonic() + 60
                while not any(work.glob("block-*.npz")) and time.monotonic() < until:
                    time.sleep(0.01)
                copy.unlink(missing_ok=True)
            return real(*args, **more)

        monkeypatch.setattr(module, name, removing)
        with pytest.raises(EmollamaError, match=rf"{name}\.wav: cannot be read: No such file"):
            analysed(copy, out, model, monkeypatch)
        measured = [path.name for path in (out / ".work").glob("*.npz")]
        assert sum(n.startswith("block") for n in measured) == block_count
        assert sum(n.startswith("segment") for n in measured) == segment_count


def test_a_damaged_file_of_the_work_folder_is_named(tmp_path: Path) -> None:
    work.Work(tmp_path).keep_arrays("block-00000", {"a": np.zeros(3)})
    path = tmp_path / "block-00000.npz"
    for damaged in (b"", path.read_bytes()[:100]):  # after a power cut
        path.write_bytes(damaged)
        with pytest.raises(EmollamaError, match=r"block-00000\.npz: cannot be read .* remove"):
            work.Work(tmp_path).arrays("block-00000")


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    draft = tmp_path / ".vectors.npz.x1y2z3.tmp"  # as `atomic_path` names it
    draft.write_bytes(b"half of somebody's face")
    (tmp_path / "mine.tmp").write_text("another's")
    with work.opened(tmp_path, {}):
        assert not draft.exists() and (tmp_path / "mine.tmp").exists()


def test_a_name_that_is_not_unicode_is_told(talk: Path, tmp_path: Path) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9.wav")  # Latin-1, as old archives unpack
    shutil.copyfile(talk, named)
    with pytest.raises(EmollamaError, match=r"name is not Unicode.*rename it"):
        tracks_of(named)
    RecordingsTable(tmp_path, []).add(Named(named, named.stem), {"error": str(named)})
    assert "caf?.wav" in (tmp_path / "recordings.csv").read_text("utf-8")


def test_a_shard_without_recordings_says_so(talk: Path, model: Path, tmp_path: Path) -> None:
    told = warm.run("-m", "emollama", "analyse", talk.parent, "--out", tmp_path / "out",
                    "--model", model, "--shard", "98/99")  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "no recording falls to --shard 98/99" in told.stderr and not told.stdout


def test_a_remark_that_all_answers_share_is_told_once() -> None:
    about, odd = "90% coverage is not promised for a new person", "the face is small"
    notes = ((about, odd), (about,))
    answers = [SegmentAnswer("sad", {"sad": 1.0}, notes=some) for some in notes]
    kept, shared = told_once([*answers, failed("cannot be decoded")])
    assert shared == (about,) and [a.notes for a in kept] == [(odd,), (), ()]
    assert told_once(answers[:1]) == (answers[:1], ()), "of one it is no less told there"


def test_how_many_segments_are_unlike_the_training_clips_is_told_first() -> None:
    far = [f"{UNLIKE} (face {times} times the usual distance)" for times in (2.1, 2.2)]
    notes = (("the face is small", one, "no words in this clip") for one in far)
    answers = [SegmentAnswer("sad", {"sad": 1.0}, notes=some) for some in notes]
    kept, shared = told_once([*answers, failed("cannot be decoded")])
    assert shared == (
        "segments unlike those the model was trained on: 2 of 2; do not trust their answers",
        "the face is small",
    )
    assert [a.notes for a in kept] == [(far[0],), (far[1],), ()]


def test_mistakes_are_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    wav = tmp_path / "a.wav"
    write_wav(wav, vowels(120, 1.0))
    with pytest.raises(EmollamaError, match=r"file/out: cannot be written: Not a directory"):
        Analyst(Options(model)).analyse(wav, tmp_path / "file" / "out", "a")
    with pytest.raises(EmollamaError, match=r"/file: is a file; --out is a folder"):
        Analyst(Options(model)).analyse(wav, tmp_path / "file", "a")
    with pytest.raises(EmollamaError, match=r"x: cannot be written: File name too long"):
        Analyst(Options(model)).analyse(wav, tmp_path / ("x" * 300), "a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "record.json").write_text(json.dumps({"other": 1}))
    with pytest.raises(EmollamaError, match="is not the folder of an analysis"):
        Analyst(Options(model)).analyse(wav, tmp_path / "out", "a")
    with pytest.raises(EmollamaError, match="is a picture or a folder, no recording"):
        tracks_of(tmp_path)
    with pytest.raises(EmollamaError, match="writes no reasons; leave out --explain"):
        Analyst(Options(model, reasons=True)).analyse(wav, tmp_path / "new", "a")
    assert not (tmp_path / "new").exists(), "else the folder refuses the command put right"
    told = warm.run("-m", "emollama", "analyse", wav, "--out", tmp_path / "o", "--model", "no")
    assert told.returncode == 2 and told.stderr.startswith("error: no: is not a folder")
    assert told.stderr.count("\n") == 1


def test_blocks_cover_a_recording_of_any_length() -> None:
    assert block_spans(0.5) == [(0.0, 0.5)]
    assert block_spans(60.9) == [(0.0, 30.0), (30.0, 60.9)]
    spans = block_spans(36_000.0)
    assert len(spans) == 1200 and spans[-1] == (35_970.0, 36_000.0)
    assert sys.getsizeof(spans) < 20_000
