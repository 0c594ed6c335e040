"""CREMA-D and DFEW in miniature: names, folds, votes, pointers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.crema_d import ACTORS, misfit, prepare_crema_d, split_of
from emollama.corpora.readers.films.dfew import prepare_dfew
from tests.corpora.trees import plant, samples_of

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 69932\n"


def test_clips_votes_and_what_is_left_out(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "crema",
        {
            "AudioWAV/1001_IEO_ANG_HI.wav": b"x",
            "VideoFlash/1001_IEO_ANG_HI.flv": b"x",
            "AudioWAV/1076_MTI_SAD_XX.wav": b"x",
            "VideoFlash/1076_MTI_SAD_XX.flv": b"x",
            "AudioWAV/1002_IEO_SAD_LO.wav": POINTER,
            "VideoFlash/1002_IEO_SAD_LO.flv": b"x",
            "AudioWAV/1003_IEO_SAD_LO.wav": b"x",
            "AudioWAV/1003_IEO_BAD_LO.wav": b"x",
            "processedResults/summaryTable.csv": '"","fileName","VoiceVote","MultiModalVote"\n'
            '"1","1001_IEO_ANG_HI","A","A:D"\n',
        },
    )
    report = prepare_crema_d(root, tmp_path / "m.jsonl")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert sample.video == "crema/VideoFlash/1001_IEO_ANG_HI.flv" and sample.split == "test"
    assert sample.text == "It's eleven o'clock."
    assert (sample.speaker, sample.group) == ("actor-1001", "actor-1001")
    assert (sample.targets.native, sample.targets.emotion) == ("ANG", "angry")
    assert sample.truth == {"level": "high", "perceived": "A:D"}
    assert report.rejected == {
        "1002_IEO_SAD_LO": "a git-LFS pointer, not the file: run 'git lfs pull'",
        "1003_IEO_BAD_LO": "emotion 'BAD' is not one of ANG, DIS, FEA, HAP, NEU, SAD",
        "1003_IEO_SAD_LO": "file is missing",
        "1076_MTI_SAD_XX": "known to be broken: broken in the release (issue 8 of its repository)",
    }
    assert report.faults[0] == "split 'all actors': 4 samples found, 7442 expected"
    with pytest.raises(EmollamaError, match="7442 expected"):
        prepare_crema_d(root, tmp_path / "m.jsonl", strict=True)
    prepare_crema_d(root, tmp_path / "m.jsonl", keep_bad=True, fold=2)
    assert samples_of(tmp_path / "m.jsonl")["1076_MTI_SAD_XX"].split == "train"


def test_folds_test_each_actor_once() -> None:
    sizes = [Counter(split_of(a, fold) for a in ACTORS)["test"] for fold in range(1, 6)]
    assert sizes == [18, 18, 18, 18, 19]
    for actor in ACTORS:
        splits = [split_of(actor, fold) for fold in range(1, 6)]
        assert sorted(splits) == ["test", "train", "train", "train", "val"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1092_IEO_ANG_HI", "actor 1092 is not one of 1001 to 1091"),
        ("1001_ABC_ANG_HI", "sentence 'ABC' is not one of"),
        ("1001_IEO_ANG_X", "name is not"),
        ("1001_IEO_ANG_ZZ", "level 'ZZ'"),
    ],
)
def test_misfits(name: str, reason: str) -> None:
    assert (misfit(name) or "").startswith(reason) and misfit("1091_WSI_NEU_XX") is None


def test_no_crema_d(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has neither AudioWAV"):
        prepare_crema_d(tmp_path, tmp_path / "m.jsonl")
    with pytest.raises(EmollamaError, match="fold 6 does not exist"):
        prepare_crema_d(tmp_path, tmp_path / "m.jsonl", fold=6)


def dfew(root: Path, train: str, test: str) -> Path:
    place = "EmoLabel_DataSplit/{}(single-labeled)/set_2.csv"
    return plant(root, {place.format("train"): train, place.format("test"): test})


def test_dfew_with_clips(tmp_path: Path) -> None:
    root = dfew(
        tmp_path / "dfew",
        "\ufeffvideo_name,label\r\n00001,1\r\n2,7\r\n3,0\r\n00004,2\r\n",
        "video_name,label\n00005,5\n",
    )
    plant(root, [f"Clip/original/0000{n}.mp4" for n in (1, 2, 3, 5)])
    plant(root, ["Clip/clip_224x224/00001/00001_00001.jpg"])
    report = prepare_dfew(root, tmp_path / "m.jsonl", fold=2)
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.emotion) for n, s in samples.items()} == {
        "00001": ("train", "happy"), "00002": ("train", "fear"), "00005": ("test", "surprise"),
    }  # fmt: skip
    assert samples["00002"].video == "dfew/Clip/original/00002.mp4"
    assert samples["00002"].targets.native == "7"
    assert report.rejected == {
        "00003": "label 0: not single-labelled", "00004": "file is missing",
    }  # fmt: skip
    assert "split 'train': 3 samples found, 9356 expected" in report.faults
    with pytest.raises(EmollamaError, match="split 'test': 1 samples found, 2341 expected"):
        prepare_dfew(root, tmp_path / "m.jsonl", fold=2, strict=True)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("video_name,label\n1,8\n", "video_name,label\n", r"set_2.csv:2: .*'8' is not 1 to 7"),
        ("video_name,label\n1,1\n", "video_name,label\n00001,1\n", "id '00001' is already at"),
        ("video_name,label\n1,1\n1,0\n", "video_name,label\n", "id '00001' is already at"),
        ("name,label\n1,1\n", "video_name,label\n", "has no column 'video_name'"),
    ],
)
def test_dfew_mistakes(tmp_path: Path, train: str, test: str, said: str) -> None:
    dfew(tmp_path, train, test)
    with pytest.raises(EmollamaError, match=said):
        prepare_dfew(tmp_path, tmp_path / "m.jsonl", fold=2)
    with pytest.raises(EmollamaError, match=r"has no EmoLabel_DataSplit/train\(single-labeled"):
        prepare_dfew(tmp_path, tmp_path / "m.jsonl", fold=1)


def test_dfew_without_clips_has_labels_alone(tmp_path: Path) -> None:
    dfew(tmp_path, "video_name,label\n1,1\n", "video_name,label\n2,1\n")
    report = prepare_dfew(tmp_path, tmp_path / "m.jsonl", fold=2)
    assert report.samples == 2 and any("NO CLIPS" in note for note in report.notes)
    with pytest.raises(EmollamaError, match="is not a folder; give the folder of DFEW's clips"):
        prepare_dfew(tmp_path, tmp_path / "m.jsonl", fold=2, media=tmp_path / "nowhere")


def test_a_clip_with_two_votes(tmp_path: Path) -> None:
    table = "FileName,MultiModalVote\n1001_IEO_ANG_LO,A\n1001_IEO_ANG_LO,A\n1001_IEO_ANG_LO,N\n"
    plant(tmp_path, {"processedResults/summaryTable.csv": table})
    plant(tmp_path, ["AudioWAV/1001_IEO_ANG_LO.wav"])
    with pytest.raises(EmollamaError, match=r"csv:4: '1001_IEO_ANG_LO' has another vote at .*:2$"):
        prepare_crema_d(tmp_path, tmp_path / "m.jsonl")
