"""EMER, Aff-Wild2 and AVE in miniature."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.aff_wild2 import prepare_aff_wild2
from emollama.corpora.readers.ave import prepare_ave
from emollama.corpora.readers.emer import prepare_emer
from emollama.manifest.sample import read_manifest
from tests.corpora.trees import plant, samples_of


def test_emer_of_both_versions(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "emer",
        {
            "dataset-v1/gt-eng.csv": "\ufeffnames,emotions,subtitles,reasons\n"
            "sample_1,\"['sad', 'upset']\",No.,\"He weeps,\nso sad.\"\n"
            "sample_2,[],,\nsample_3,[],,Why\n",
            "final-EMER-reason.csv": "name,chinese,english\nsample_9,好,Good.\n",
            "video/sample_1.avi": b"x",
        },
    )
    report = prepare_emer(root, tmp_path / "m.jsonl")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert sample.targets.native == "['sad', 'upset']" and sample.targets.emotion is None
    assert sample.targets.reason == "He weeps, so sad." and sample.text == "No."
    assert sample.video == "emer/video/sample_1.avi" and sample.split == "test"
    assert report.rejected == {
        "sample_2": "column 'reasons' is empty", "sample_3": "file is missing",
    }  # fmt: skip
    with pytest.raises(EmollamaError, match="3 samples found, 100 expected"):
        prepare_emer(root, tmp_path / "m.jsonl", strict=True)
    (root / "video/sample_9.mp4").write_bytes(b"x")
    prepare_emer(root, tmp_path / "m.jsonl", version=2, language="chinese")
    assert samples_of(tmp_path / "m.jsonl")["sample_9"].targets.reason == "好"


def test_emer_columns_are_found_in_any_case(tmp_path: Path) -> None:
    plant(tmp_path, {"gt-eng.csv": "Names,Emotions,Subtitles,Reasons\na,['sad'],No.,He weeps.\n"})
    prepare_emer(tmp_path, tmp_path / "m.jsonl")
    sample = samples_of(tmp_path / "m.jsonl")["a"]
    assert (sample.targets.native, sample.text) == ("['sad']", "No.")
    assert sample.targets.reason == "He weeps."


def test_emer_mistakes(tmp_path: Path) -> None:
    plant(tmp_path, {"gt-eng.csv": "names,reasons\na,b\na,c\n"})
    out = tmp_path / "m.jsonl"
    with pytest.raises(EmollamaError, match=r"gt-eng.csv:3: id 'a' is already at"):
        prepare_emer(tmp_path, out)
    with pytest.raises(EmollamaError, match="has no gt-chi"):
        prepare_emer(tmp_path, out, language="chinese")
    with pytest.raises(EmollamaError, match="no version 3"):
        prepare_emer(tmp_path, out, version=3)
    with pytest.raises(EmollamaError, match="did you mean 'english'"):
        prepare_emer(tmp_path, out, language="englisch")
    with pytest.raises(EmollamaError, match="give the folder of MER2023's clips"):
        prepare_emer(tmp_path, out, media=tmp_path / "nowhere")


def aff_wild2(root: Path, content: str = "valence,arousal\n0.5,-0.25\n") -> Path:
    return plant(
        root,
        {
            "VA_Estimation_Challenge/Train_Set/1-30-1280x720.txt": content,
            "VA_Estimation_Challenge/Train_Set/._1.txt": b"\x00\xff",
            "VA_Estimation_Challenge/Train_Set/46_left.txt": "valence,arousal\r\n-5,-5\r\n",
            "VA_Estimation_Challenge/Train_Set/7.txt": "valence,arousal\n0,0\n",
            "VA_Estimation_Challenge/Validation_Set/46_right.txt": (
                "\ufeffvalence,arousal\r\n-5,-5\r\n1.0,0\r\n0.5,-1\r\n"
            ),
            "batch1/1-30-1280x720.mp4": b"x",
            "batch2/46.avi": b"x",
        },
    )


def test_aff_wild2_names_the_file_of_frames(tmp_path: Path) -> None:
    root = aff_wild2(tmp_path / "aff")
    report = prepare_aff_wild2(root, tmp_path / "m.jsonl")
    first, second = samples_of(tmp_path / "m.jsonl").values()
    assert first.targets.frames == "aff/VA_Estimation_Challenge/Train_Set/1-30-1280x720.txt"
    assert (first.targets.valence, first.targets.arousal) == (0.5, -0.25)
    assert first.split == "train" and first.truth == {}
    assert (second.id, second.group, second.truth) == ("46_right", "46", {"side": "right"})
    assert second.video == "aff/batch2/46.avi" and second.split == "val"
    assert (second.targets.valence, second.targets.arousal) == (0.75, -0.5)
    assert report.rejected == {"46_left": "no frame is annotated", "7": "file is missing"}
    assert report.faults == ("split 'train': files of 1 of 3 samples are missing",)
    with pytest.raises(EmollamaError, match="files of 1 of 3 samples are missing"):
        prepare_aff_wild2(root, tmp_path / "m.jsonl", strict=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("valence,arousal\n0.5,2\n", r"720.txt:2: 0.5,2 is neither from -1 to 1 nor -5"),
        ("valence,arousal\n0.5\n", r"720.txt:2: must hold valence,arousal, holds '0.5'"),
        ("valence,arousal\n0,0\nnan,0\n", r"720.txt:3: 'nan' is not a number"),
        ("arousal,valence\n0,0\n", r"720.txt:1: must be 'valence,arousal', is 'arousal"),
        ("", r"720.txt:1: must be"),
    ],
)
def test_aff_wild2_mistakes(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_aff_wild2(aff_wild2(tmp_path, content), tmp_path / "m.jsonl")


def test_no_aff_wild2(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has no VA_Estimation_Challenge"):
        prepare_aff_wild2(tmp_path, tmp_path / "m.jsonl")


def test_ave_with_two_events_of_a_clip(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "ave",
        {
            "trainSet.txt": "Church bell&-a_b&good&0&10\nBaby cry, infant cry&-a_b&good&2&9\n",
            "valSet.txt": "\ufeffBark&gone&good&0&3\r\nBark&c&good&0&3\r\n",
            "testSet.txt": "Category&VideoID&Quality&StartTime&EndTime\nBark&-a_b&good&1&2\n",
            "AVE/-a_b.mp4": b"x",
            "AVE/c.mp4": b"x",
        },
    )
    report = prepare_ave(root, tmp_path / "m.jsonl")
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert manifest.labels.labels == ("Baby cry, infant cry", "Bark", "Church bell")
    first, second, _, third = manifest.samples
    assert first.id == "-a_b_church-bell_0-10" and first.video == "ave/AVE/-a_b.mp4"
    assert second.targets.emotion == "Baby cry, infant cry" and second.truth == {"event": [2, 9]}
    assert {first.group, second.group, third.group} == {"-a_b"} and third.split == "test"
    assert report.rejected == {"gone_bark_0-3": "file is missing"}
    assert "1 clips are in several splits, e.g. '-a_b'" in report.faults
    assert "2 samples are further events of a clip" in report.notes
    assert any(
        fault.startswith("2 spans overlap a span of another split") for fault in report.faults
    )
    with pytest.raises(EmollamaError, match=r"3339 expected.*; 1 clips are in several splits"):
        prepare_ave(root, tmp_path / "m.jsonl", strict=True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Bark&a&good&0\n", r"trainSet.txt:1: must hold Category"),
        ("Bark&a&good&3&3\n", r"trainSet.txt:1: 3 to 3 s is not a valid span"),
        ("Bark&a&good&0&3\nBark&a&good&0&3\n", r"trainSet.txt:2: id 'a_bark_0-3' is already"),
        ("", "has no lines in trainSet"),
    ],
)
def test_ave_mistakes(tmp_path: Path, content: str, said: str) -> None:
    plant(tmp_path, {"trainSet.txt": content})
    with pytest.raises(EmollamaError, match=said):
        prepare_ave(tmp_path, tmp_path / "m.jsonl")
