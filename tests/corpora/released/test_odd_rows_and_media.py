"""Corpora as they are released: real lines and file names, each with its public source."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.media_files import media_below
from emollama.corpora.readers.ave import prepare_ave
from emollama.corpora.readers.emer import prepare_emer
from emollama.corpora.readers.films.dfew import prepare_dfew
from emollama.corpora.readers.mvsa import prepare_mvsa
from tests.corpora.trees import plant, samples_of

# YapengTian/AVE-ECCV18 at 93f843fed72fb17394df76330df958b0c2dbde76, data/Annotations.txt,
# lines 16 to 30 of 4,143: line 27 is an event of no length.
AVE = [
    "-J2WJaG1Dd4&good&0&10", "HE6-xn3yROY&good&0&10", "9U3n8WVLTKQ&good&0&10",
    "V8jbmbQk0yI&good&0&10", "Tc1822d78oA&good&0&10", "QPXMFPTuxJM&good&0&10",
    "hdstykfxcbw&good&0&10", "qMZ1nj4fDas&good&0&10", "e_5ngCwYckE&good&0&10",
    "Xq5oTX4-Hnc&good&0&10", "b63av9FMnMA&good&0&10", "VWi2ENBuTbw&good&0&0",
    "K5AE5C5FUQk&good&5&10", "1_4j6VRHZAw&good&0&5", "mgsi5Glqi7g&good&0&10",
]  # fmt: skip


def test_aves_odd_row_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = "".join(f"Church bell&{line}\n" for line in AVE)
    plant(tmp_path, {"trainSet.txt": lines})
    report = prepare_ave(tmp_path, tmp_path / "m.jsonl")
    assert report.samples == 14
    shown = f"{tmp_path.name}/trainSet.txt:12"
    assert report.rejected == {shown: "0 to 0 s is not a valid span"}
    assert "1 of 15 rows of annotations are odd and left out" in report.notes
    assert "split 'train': 15 samples found, 3339 expected" in report.faults
    # The same line among few others: a tenth and more is another form of file, not an odd row.
    plant(tmp_path, {"trainSet.txt": "\n".join(lines.splitlines()[10:14])})
    with pytest.raises(EmollamaError, match=r"trainSet.txt:2: 0 to 0 s is not a valid span$"):
        prepare_ave(tmp_path, tmp_path / "m.jsonl")


# zeroQiaoba/AffectGPT at e0aec193cacde8991710ccdf65b7b80122322abb, EMER/dataset-v2 and dataset-v1:
# headers and first names; the descriptions are cut.
EMER = {
    "final-EMER-reason.csv": "name,chinese,english\nsample_00000000,在视频中,In the video\n",
    "gt-eng.csv": "names,emotions,subtitles,reasons\n"
    'sample_00000648,angry,Don\'t talk to me about feelings anymore.,"In the video, he roared"\n',
}


def test_emer_names_its_clips_differently_in_each_version(tmp_path: Path) -> None:
    plant(tmp_path, EMER)
    prepare_emer(tmp_path, tmp_path / "m.jsonl", version=2)
    (second,) = samples_of(tmp_path / "m.jsonl").values()
    assert (second.id, second.targets.reason) == ("sample_00000000", "In the video")
    prepare_emer(tmp_path, tmp_path / "m.jsonl", version=1)
    (first,) = samples_of(tmp_path / "m.jsonl").values()
    assert (first.id, first.targets.native) == ("sample_00000648", "angry")


# zengqunzhao/DFER-CLIP at d10d5a4310a60c477778a086a292b591ee50e2ce, annotation/DFEW_set_1_train.txt
# and _test.txt, lines 1 to 3: clip, frame count, label less 1 (see preprocess_annotation.py there).
DFEW_TRAIN = "video_name,label\n2522,6\n2536,6\n2578,7\n"
DFEW_TEST = "video_name,label\n00001,2\n00002,3\n00004,2\n"


@pytest.mark.parametrize(
    "clips",
    [
        # eleven parts, names without zeros
        ["original/part_2/2522.mp4", "original/part_2/2536.mp4", "original/part_2/2578.mp4",
         "original/part_1/1.mp4", "original/part_1/2.mp4", "original/part_11/4.mp4"],
        [f"clip_224x224_avi/{n}.avi"
         for n in ("02522", "02536", "02578", "00001", "00002", "00004")],
        [f"clip_224x224/{n}/{n}_00001.jpg"
         for n in ("02522", "02536", "02578", "00001", "00002", "00004")],
        [f"clip_224x224_16f/{n}/{i}.jpg" for i in (1, 16)
         for n in ("02522", "02536", "02578", "00001", "00002", "00004")],
    ],
)  # fmt: skip
def test_dfews_clips_in_every_form_of_the_release(tmp_path: Path, clips: list[str]) -> None:
    place = "EmoLabel_DataSplit/{}(single-labeled)/set_1.csv"
    plant(tmp_path, {place.format("train"): DFEW_TRAIN, place.format("test"): DFEW_TEST})
    plant(tmp_path, [f"Clip/{clip}" for clip in clips])
    report = prepare_dfew(tmp_path, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: s.targets.emotion for n, s in samples.items()} == {
        "02522": "disgust", "02536": "disgust", "02578": "fear",
        "00001": "sad", "00002": "neutral", "00004": "sad",
    }  # fmt: skip
    assert report.rejected == {} and report.splits == {"train": 3, "test": 3}
    assert all(s.video and (tmp_path / s.video).exists() for s in samples.values())
    assert samples["00001"].video in {
        "Clip/original/part_1/1.mp4", "Clip/clip_224x224_avi/00001.avi", "Clip/clip_224x224/00001",
        "Clip/clip_224x224_16f/00001",
    }  # fmt: skip


def test_dfew_without_its_test_clips_is_an_error(tmp_path: Path) -> None:
    place = "EmoLabel_DataSplit/{}(single-labeled)/set_1.csv"
    plant(tmp_path, {place.format("train"): DFEW_TRAIN, place.format("test"): DFEW_TEST})
    plant(tmp_path, [f"Clip/original/part_2/{n}.mp4" for n in (2522, 2536, 2578)])
    with pytest.raises(EmollamaError, match=r"no sample of split 'test' is usable.*e.g. 00001"):
        prepare_dfew(tmp_path, tmp_path / "m.jsonl")
    assert not (tmp_path / "m.jsonl").exists()
    with pytest.raises(EmollamaError, match="EmoLabel_DataSplit: holds no clip of DFEW's annot"):
        prepare_dfew(tmp_path, tmp_path / "m.jsonl", media=tmp_path / "EmoLabel_DataSplit")


def test_media_of_one_name(tmp_path: Path) -> None:
    files = ["b/00001.avi", "a/1/img_1.jpg", "a/2.MP4", "c/x/0007.mp4", "c/y/7.mp4", ".hid/9.mp4"]
    found = media_below(plant(tmp_path, files))
    told = {n: found.get(n) for n in ("1", "00001", "02", "x/7", "y/0007", "9", "a/1", "img_1")}
    assert {n: p.relative_to(tmp_path).as_posix() if p else None for n, p in told.items()} == {
        "1": "a/1",  # spelled the same
        "00001": "b/00001.avi", "02": "a/2.MP4", "x/7": "c/x/0007.mp4", "y/0007": "c/y/7.mp4",
        "9": None, "a/1": "a/1", "img_1": None,
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "JPG"])
def test_mvsas_pictures_are_clips(tmp_path: Path, suffix: str) -> None:
    # The layout that public readers of MVSA-Single expect; the rows are ours.
    lines = "ID\ttext,image\n1\tpositive,positive\n2\tneutral,positive\n3\tneutral,positive\n"
    plant(tmp_path, {"labelResultAll.txt": lines, **{f"data/{i}.txt": "Hi" for i in (1, 2, 3)}})
    plant(tmp_path, [f"data/{i}.{suffix}" for i in (1, 2, 3)])
    prepare_mvsa(tmp_path, tmp_path / "m.jsonl")
    assert [s.video for s in samples_of(tmp_path / "m.jsonl").values()] == [
        f"data/{i}.{suffix}" for i in (1, 2, 3)
    ]
