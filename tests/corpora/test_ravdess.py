"""RAVDESS on a folder of its own names: pairing, splits, and what is left out and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.ravdess import misfit, prepare_ravdess
from emollama.manifest.sample import read_manifest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = [
        "Actor_03/03-01-05-02-01-01-03.wav",
        "Actor_03/01-01-05-02-01-01-03.mp4",
        "Actor_03/02-01-05-02-01-01-03.mp4",
        "Actor_13/03-01-01-01-02-02-13.flac",
        "Actor_05/01-01-08-01-02-02-05.mp4",
        "Actor_05/03-02-03-01-02-02-05.wav",
        "again/Actor_03/03-01-05-02-01-01-03.flac",
        "Actor_03/03-01-01-02-01-01-03.wav",
        "Actor_03/03-01-09-01-01-01-03.wav",
        "Actor_03/notes on the session.wav",
        "Actor_03/03-01-05-01-01-01-03.mp3",
        "Actor_03/readme.txt",
        "__MACOSX/Actor_03/._03-01-05-02-01-01-03.wav",
    ]
    for name in names:
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "corpus"


def test_an_utterance_is_one_sample_with_picture_and_sound(root: Path, tmp_path: Path) -> None:
    report = prepare_ravdess(root, tmp_path / "out" / "manifest.jsonl")
    manifest = read_manifest(tmp_path / "out" / "manifest.jsonl")
    assert manifest.labels.name == manifest.corpus == "ravdess"
    one, two, three = manifest.samples
    assert one.id == "03-01-05-02-01-01-03"
    assert one.video == "../corpus/Actor_03/01-01-05-02-01-01-03.mp4"
    assert one.audio == "../corpus/Actor_03/03-01-05-02-01-01-03.wav"
    assert manifest.media(one.audio).is_file()
    assert (one.speaker, one.group, one.split) == ("actor-03", "actor-03", "test")
    assert one.targets.emotion == "angry"
    assert one.truth == {"intensity": "strong", "sex": "male"}
    assert one.text == "Kids are talking by the door."
    # Only the video is there: the sample is called after its sound all the same.
    assert two.id == "03-01-08-01-02-02-05" and two.audio is None and two.split == "train"
    assert two.text == "Dogs are sitting by the door." and two.targets.emotion == "surprised"
    assert three.split == "val" and three.video is None and three.targets.emotion == "neutral"
    assert report.samples == 3
    assert report.emotions == {
        "train": {"surprised": 1}, "val": {"neutral": 1}, "test": {"angry": 1},
    }  # fmt: skip


def test_nothing_is_left_out_silently(root: Path, tmp_path: Path) -> None:
    report = prepare_ravdess(root, tmp_path / "manifest.jsonl")
    assert report.rejected == {
        "Actor_03/02-01-05-02-01-01-03.mp4": (
            "picture only; the file with sound also has the picture"
        ),
        "Actor_03/03-01-01-02-01-01-03.wav": "neutral has no strong intensity",
        "Actor_03/03-01-05-01-01-01-03.mp3": "a .mp3 file; wav, flac and mp4 are read",
        "Actor_03/03-01-09-01-01-01-03.wav": "emotion '09' is not one of 01 to 08",
        "Actor_03/notes on the session.wav": "name is not MM-CC-EE-II-SS-RR-AA",
        "Actor_05/03-02-03-01-02-02-05.wav": "song, not requested",
        "again/Actor_03/03-01-05-02-01-01-03.flac": "another file of the same utterance",
    }
    text = "\n".join(report.lines())
    assert "3 samples" in text and "left out: 7" in text
    assert all(path in text and reason in text for path, reason in report.rejected.items())


def test_song_and_other_splits(root: Path, tmp_path: Path) -> None:
    prepare_ravdess(root, tmp_path / "song.jsonl", split="ravdess-b", song=True)
    (sample,) = read_manifest(tmp_path / "song.jsonl").samples
    assert sample.id == "03-02-03-01-02-02-05" and sample.audio is not None
    assert sample.audio.startswith("corpus/Actor_05/")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("03-01-05-01-01-01-25.wav", "actor '25' is not one of 01 to 24"),
        ("03-01-05-01-03-01-24.wav", "statement '03' is not one of 01 to 02"),
        ("3-1-5-1-1-1-24.wav", "modality '3' is not one of 01 to 03"),
        ("03-02-07-01-01-01-24.wav", "there is no disgust song"),
        ("03-01-05-01-01-01-24.mp4", "modality '03' is sound only, but the file is .mp4"),
        ("01-01-05-01-01-01-24.wav", "modality '01' has a picture, but the file is .wav"),
        ("03-01-05-01-01-01-24.WAV", None),
    ],
)
def test_misfits(name: str, reason: str | None) -> None:
    assert misfit(Path(name)) == reason


def test_empty_folders_and_unknown_splits_are_one_line(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "manifest.jsonl"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(EmollamaError, match=r"empty: holds no RAVDESS speech"):
        prepare_ravdess(empty, out)
    with pytest.raises(EmollamaError, match=r"1 left out, most often \(1\): song, not requested"):
        (empty / "03-02-03-01-02-02-05.wav").touch()
        prepare_ravdess(empty, out)
    with pytest.raises(EmollamaError, match="is not a folder"):
        prepare_ravdess(tmp_path / "nowhere", out)
    with pytest.raises(EmollamaError, match="did you mean 'ravdess-a'"):
        prepare_ravdess(root, out, split="ravdessa")
    assert not out.exists()


def test_links_that_lead_back_end(root: Path, tmp_path: Path) -> None:
    (root / "Actor_03" / "up").symlink_to(root)
    report = prepare_ravdess(root, tmp_path / "manifest.jsonl")
    assert report.samples == 3
    assert report.faults == ("3 spoken utterances found, 1440 expected",)
    with pytest.raises(EmollamaError, match="3 spoken utterances found, 1440 expected"):
        prepare_ravdess(root, tmp_path / "strict.jsonl", strict=True)
