"""A fault of every kind, planted: each is found, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import av
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.doctor import KINDS, Examination, Limits, examine
from emollama.corpora.doctor.examine import PICTURE, REPORT
from emollama.corpora.doctor.record import LOOKS
from emollama.manifest.sample import Targets
from tests.corpora.doctor.made import LABELS, Corpus, build_troubled, film, start

LIMITS = Limits(max_seconds=2.5, min_label=2, tolerance=0.4)
STORE_KINDS = {
    "unreadable features", "missing track", "failed track", "not finite", "track too long",
    "track too short", "other media",
}  # fmt: skip

Planted = set[tuple[str, tuple[str, ...]]]


def found(examination: Examination) -> list[tuple[str, tuple[str, ...]]]:
    return [(f.kind, f.ids) for f in examination.report.findings]


def plant_clips(corpus: Corpus) -> Planted:
    """Faults that a single clip has."""
    text = corpus.folder / "text.mp4"
    text.write_text("not a film")
    whole = corpus.film("whole.mkv", seconds=2.0)
    content = (corpus.folder / whole).read_bytes()
    (corpus.folder / "cut.mkv").write_bytes(content[: len(content) // 2])
    damaged = bytearray((corpus.folder / corpus.film("damaged.mp4")).read_bytes())
    with av.open(str(corpus.folder / "damaged.mp4")) as container:
        stream = container.streams.video[0]
        places = [(p.pos, p.size) for p in container.demux(stream) if p.size]
    position, size = places[5]
    damaged[position + 4 : position + size] = b"\xff" * (size - 4)
    (corpus.folder / "damaged.mp4").write_bytes(damaged)
    plans: dict[str, tuple[str, dict[str, object]]] = {
        "gone": ("missing", {"video": "nowhere.mp4"}),
        "gone-voice": ("missing", {"video": corpus.film("v.mp4", sound=False), "audio": "no.wav"}),
        "gone-frames": ("missing", {
            "video": corpus.film("f.mp4"),
            "targets": Targets(emotion="happy", frames="valence.txt"),
        }),
        "text": ("unreadable", {"video": "text.mp4"}),
        "behind": ("empty span", {"video": corpus.film("b.mp4"), "start": 5.0, "end": 6.0}),
        "damaged": ("damaged", {"video": "damaged.mp4"}),
        "voice-only": ("no picture", {"video": corpus.film("o.mp4", picture=False)}),
        "mute": ("no sound", {"video": corpus.film("m.mp4", sound=False)}),
        "silent": ("silent", {"video": corpus.film("s.mp4", level=0.0)}),
        "nobody": ("faceless", {"video": corpus.film("n.mp4", with_face=False)}),
        "short": ("too short", {"video": corpus.film("t.mp4", seconds=0.3)}),
        "long": ("too long", {"video": corpus.film("l.mp4", seconds=3.0)}),
        "uneven": ("picture and sound differ", {"video": corpus.film("u.mp4", sound_seconds=2.0)}),
        "cut": ("not as declared", {"video": "cut.mkv"}),
        "over": ("not as declared", {"video": corpus.film("e.mp4"), "start": 0.1, "end": 1.9}),
    }  # fmt: skip
    for name, (_, fields) in plans.items():
        corpus.add(name, **fields)
    corpus.add("nothing", text=None)
    return {(kind, (name,)) for name, (kind, _) in plans.items()} | {("empty sample", ("nothing",))}


def plant_splits(corpus: Corpus) -> Planted:
    """Faults that clips have with each other."""
    planted: Planted = set()

    def pair(kind: str, *fields: dict[str, object], splits: str = "train test") -> None:
        names = [
            corpus.add(f"{kind.replace(' ', '-')}-{i}", split, **own)  # type: ignore[arg-type]
            for i, (split, own) in enumerate(zip(splits.split(), fields, strict=True))
        ]
        planted.add((kind, tuple(names)))

    films = iter(corpus.film(f"p{i}.mp4", seconds=2.0 if i < 2 else 1.0) for i in range(20))
    far, near = next(films), next(films)
    halves = {"start": 0.0, "end": 1.0}, {"start": 1.0, "end": 2.0}
    pair("recording in several splits", *({"video": far, **half} for half in halves))
    pair(
        "overlapping spans", {"video": near, **halves[0]}, {"video": near, "start": 0.5, "end": 2.0}
    )
    planted.add(("recording in several splits", ("overlapping-spans-0", "overlapping-spans-1")))
    pair("group in several splits", *({"video": next(films), "group": "g"} for _ in "ab"))
    pair("speaker in several splits", *({"video": next(films), "speaker": "s"} for _ in "ab"))
    pair(
        "face in several splits", *({"video": next(films), key: "f"} for key in ("face", "speaker"))
    )
    for kind, splits in (("across splits", "train test"), ("within a split", "test test")):
        same = f"What {kind} is the same?", f"what {kind} is the same"
        pair(f"duplicate text {kind}", *({"video": next(films), "text": t} for t in same),
             splits=splits)  # fmt: skip
    original = next(films)
    shutil.copy(corpus.folder / original, corpus.folder / "copy.mp4")
    pair("duplicate media across splits", {"video": original}, {"video": "copy.mp4"})
    for name, codec in (("same.wav", "pcm_s16le"), ("same.flac", "flac")):
        film(corpus.folder / name, 111.0, picture=False, codec=codec)
    pair("duplicate media within a split", {"audio": "same.wav"}, {"audio": "same.flac"},
         splits="train train")  # fmt: skip
    twice = corpus.film("twice.mp4")
    pair("duplicate media, other label", {"video": twice}, {"video": twice, "label": "sad"},
         splits="train train")  # fmt: skip
    planted.add(("duplicate media within a split",
                 tuple(f"duplicate-media,-other-label-{i}" for i in (0, 1))))  # fmt: skip
    return planted


def test_every_planted_fault_is_found_and_nothing_else(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    planted = plant_clips(corpus) | plant_splits(corpus)
    corpus.add("worried-0", "test", "worried", video=corpus.film("w0.mp4"))
    corpus.add("worried-1", "test", "worried", video=corpus.film("w1.mp4"))
    corpus.add("proud", "train", "proud", video=corpus.film("w2.mp4"))
    corpus.lines = [
        '{"id": "half", "vid',
        '{"id": "label", "targets": {"emotion": "hungry"}}',
        '{"id": "train-0", "text": "once more with feeling"}',
    ]
    labels = type(LABELS)("five", (*LABELS.labels, "worried", "proud"))
    done = examine(corpus.write(labels), tmp_path / "out", limits=LIMITS, workers=2)
    about_labels = [("label not in train", ()), *[("rare label", ())] * 2]
    about_lines = [*[("invalid line", ())] * 2, ("id twice", ("train-0",))]
    assert sorted(found(done)) == sorted([*planted, *about_labels, *about_lines])
    # Every kind but those of a store and of whole manifests has been planted.
    whole = {"crash", "nothing usable", "split name"}
    assert {kind for kind, _ in found(done)} == set(KINDS) - STORE_KINDS - whole
    details = {(f.kind, *f.ids): f.detail for f in done.report.findings}
    assert details["not as declared", "cut"].startswith("the header says 2.")
    assert "'worried': 0 in train, 2 in test" in details["label not in train",]
    assert (tmp_path / "out" / PICTURE).read_bytes().startswith(b"\x89PNG")

    # What has not changed is not looked at again.
    again = examine(corpus.path, tmp_path / "out", limits=LIMITS, workers=1)
    assert (again.looked, again.report) == (0, done.report)
    Path(corpus.folder / "text.mp4").unlink()
    film(corpus.folder / "text.mp4", 1234.0)
    third = examine(corpus.path, tmp_path / "out", limits=LIMITS, workers=1)
    assert third.looked == 1
    assert set(found(done)) - set(found(third)) == {("unreadable", ("text",))}


def test_a_faultless_corpus_has_no_findings(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    done = examine(corpus.write(), tmp_path / "out", limits=LIMITS, workers=1)
    assert found(done) == []
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert (report["errors"], report["warnings"], report["faces"]) == (0, 0, True)
    assert report["labels"]["test"] == {"happy": 2, "sad": 2, "calm": 2}
    assert report["splits"]["train"]["seconds"] == [1.0, 1.0, 1.0]


def test_a_clip_that_kills_its_process_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    troubles = ("segfault", "raises", "hangs")
    for name in troubles:
        corpus.add(name, video=corpus.film(f"{name}.mp4"))
    options = {"limits": LIMITS, "faces": False, "workers": 2, "clip_seconds": 5}
    corpus.write()
    done = examine(corpus.path, tmp_path / "out", build=build_troubled, **options)  # type: ignore[arg-type]
    assert found(done) == [("crash", (name,)) for name in troubles]
    details = [f.detail for f in done.report.findings]
    assert "signal 11" in details[0] and "timed out" in details[2]
    assert "no [red]luck[/red]" in details[1]
    # Failures are remembered until they are asked for again.
    assert examine(corpus.path, tmp_path / "out", **options).report == done.report  # type: ignore[arg-type]
    mended = examine(corpus.path, tmp_path / "out", retry_failed=True, **options)  # type: ignore[arg-type]
    assert (mended.looked, found(mended)) == (3, [])


def test_a_manifest_without_anything_usable_is_an_error(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    nothing = {"video": None, "text": None, "clues": {}}
    corpus.samples = [s.model_copy(update=nothing) for s in corpus.samples]
    done = examine(corpus.write(), tmp_path / "out", limits=LIMITS)
    assert ("nothing usable", ()) in found(done) and done.report.errors == 1
    gone = {"video": "gone.mp4", "text": None}
    corpus.samples = [s.model_copy(update=gone) for s in corpus.samples]
    done = examine(corpus.write(), tmp_path / "out2", limits=LIMITS, workers=1)
    assert ("nothing usable", ()) in found(done)


def test_splits_that_presets_do_not_find_are_named(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    names = {"train": "Train", "val": "dev", "test": "test3"}
    corpus.samples = [
        s.model_copy(update={"video": None, "split": names.get(s.split or "", "valid")})
        for s in corpus.samples
    ]
    done = examine(corpus.write(), tmp_path / "out", limits=LIMITS)
    told = [f.detail for f in done.report.findings if f.kind == "split name"]
    assert any(line.startswith("'Train' (") and "look for 'train'" in line for line in told)
    assert not any("test3" in line for line in told)  # MER2023's, which a preset names


def test_words_alone_are_no_missing_media(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.samples = [
        s.model_copy(update={"video": None, "split": f"$\\{s.split}$"}) for s in corpus.samples
    ]
    done = examine(corpus.write(), tmp_path / "out", limits=LIMITS)
    assert found(done) == [] and done.looked == 0
    assert (tmp_path / "out" / PICTURE).is_file()


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    for i in range(30):
        corpus.add(f"more-{i}", video=corpus.film(f"more-{i}.mp4", level=0.3 * (i % 2)))
    corpus.write()
    whole = examine(corpus.path, tmp_path / "whole", faces=False, workers=2)
    assert {kind for kind, _ in found(whole)} == {"silent", "rare label"}
    looks = tmp_path / "killed" / LOOKS
    process = start(corpus.path, tmp_path / "killed")
    deadline = time.monotonic() + 60
    while not (looks.is_file() and looks.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None, "it was done before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    known = len(looks.read_text().splitlines())
    assert 0 < known < 42
    with looks.open("a") as out:
        out.write('{"id": "more-3", "signa')  # as a kill in the middle of a write leaves it
    resumed = examine(corpus.path, tmp_path / "killed", faces=False, workers=2)
    assert (resumed.looked, resumed.kept) == (42 - known, known)
    for name in (REPORT, PICTURE):
        one, other = (tmp_path / run / name for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()
    lines = [json.loads(line) for line in looks.read_text().splitlines()]
    assert len({line["id"] for line in lines}) == len(lines) == 42


def test_faces_are_looked_for_when_they_are_asked_for(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus")
    corpus.samples = corpus.samples[:2]
    corpus.add("nobody", video=corpus.film("n.mp4", with_face=False))
    corpus.write()
    limits = Limits(min_label=0)
    without, seen, kept = (
        examine(corpus.path, tmp_path / "out", faces=faces, limits=limits, workers=1)
        for faces in (False, True, False)
    )
    assert [e.looked for e in (without, seen, kept)] == [3, 3, 0]
    assert ("faceless", ("nobody",)) in found(seen)
    assert all(kind != "faceless" for e in (without, kept) for kind, _ in found(e))


def test_two_doctors_do_not_write_to_one_folder(tmp_path: Path) -> None:
    from filelock import FileLock

    corpus = Corpus(tmp_path / "corpus")
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(EmollamaError, match="another doctor"):
        examine(corpus.write(), tmp_path / "out", faces=False)
