"""MOSI, MOSEI and both CH-SIMS as MMSA gives them out: real rows and names.

Labels, splits and words: zeroQiaoba/MERTools at 89120b780ab18b28349f0e37dcc12b8cc253cb02,
MERBench/dataset/{sims,simsv2,cmumosi,cmumosei}-process/label.npz and
transcription-engchi-polish.csv. Columns of label.csv and meta.csv: a public audit of the four
folders, which also found label.csv of CH-SIMS to begin with its first clip. Where a row holds more
(single channels), the first two rows of CH-SIMS are as several public projects quote them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.opinions.ch_sims import prepare_ch_sims
from emollama.corpora.readers.opinions.mosei import prepare_mosei
from tests.corpora.trees import plant, samples_of

HEADER = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"
SIMS = [
    "video_0001,0001,我不想嫁给李茶,-1.0,-1.0,-1.0,-1.0,Negative,train",
    "video_0001,0002,你这是嫁入豪门啊！,1.0,1.0,0.8,1.0,Positive,train",
    "video_0001,0003,我不想嫁入什么豪门，我们不就是豪门吗？,-1.0,,,,Negative,test",
    "video_0038,0028,因为那个制片人是我的老同学,0.0,,,,Neutral,valid",
]
V2 = [
    "video_0001,0001,我不想嫁给李茶,-1.0,,,,Negative,train",
    "video_0001,0012,这个神经病,-1.0,,,,Negative,valid",
    "aqgy5_0036,00026,再见爱情公寓。,0.6,,,,Positive,train",
    "aqgy4_0005,00011_0,你居然会说话。,-0.6,,,,Negative,train",
    "video_xjzw,00001,大爷，我也是个演员，你这样演不行啊，碰瓷的关键在于痛感。,-0.4,,,,Negative,train",
    "test15,00020,这个事情是不对，这个事情是浪费时间，但是不要抱怨。,-0.4,,,,Negative,test",
]
MOSI = [
    "03bSnISJMiM,1,ANYHOW IT WAS REALLY GOOD,2.4,,,,Positive,train",
    "03bSnISJMiM,11,A LOT OF SAD PARTS,-0.5,,,,Negative,train",
    "atnd_PF-Lbs,1,ITS BAD,-3.0,,,,Negative,valid",
    "k5Y_838nuGo,1,WHICH I WAS NOT EXCITED TO SEE,-1.6,,,,Negative,test",
]


def clips(rows: list[str]) -> list[str]:
    return ["Raw/{}/{}.mp4".format(*row.split(",")[:2]) for row in rows]


@pytest.mark.parametrize("header", [HEADER, ""])
@pytest.mark.parametrize("zeros", [True, False])
def test_ch_sims(tmp_path: Path, header: str, zeros: bool) -> None:
    rows = [row if zeros else row.replace(",00", ",", 1).replace(",0", ",", 1) for row in SIMS]
    plant(tmp_path, {"label.csv": header + "\n".join(rows) + "\n"})
    plant(tmp_path, clips(SIMS))
    report = prepare_ch_sims(tmp_path, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.sentiment, s.targets.emotion) for n, s in samples.items()} == {
        "video_0001_0001": ("train", -1.0, "negative"),
        "video_0001_0002": ("train", 1.0, "positive"),
        "video_0001_0003": ("test", -1.0, "negative"),
        "video_0038_0028": ("val", 0.0, "neutral"),
    }
    second = samples["video_0001_0002"]
    assert second.truth == {"words": 1.0, "voice": 0.8, "face": 1.0}
    assert second.text == "你这是嫁入豪门啊！" and second.video == "Raw/video_0001/0002.mp4"
    assert "split 'train': 2 samples found, 1368 expected" in report.faults


def test_ch_sims_v2_and_its_clips_without_labels(tmp_path: Path) -> None:
    root = tmp_path / "CH-SIMS v2(s)"
    plant(root, {"meta.csv": HEADER + "\n".join(V2) + "\n"})
    plant(root, clips(V2))
    prepare_ch_sims(tmp_path, tmp_path / "m.jsonl", version=2)
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.sentiment) for n, s in samples.items()} == {
        "video_0001_0001": ("train", -1.0), "video_0001_0012": ("val", -1.0),
        "aqgy5_0036_00026": ("train", 0.6), "test15_00020": ("test", -0.4),
        "aqgy4_0005_00011_0": ("train", -0.6), "video_xjzw_00001": ("train", -0.4),
    }  # fmt: skip
    other = tmp_path / "CH-SIMS v2(u)"
    plant(other, {"meta.csv": HEADER.replace(",mode", "") + "aqgy1_0001,00000,话,,,,,\n"})
    plant(other, ["Raw/aqgy1_0001/00000.mp4"])
    report = prepare_ch_sims(other, tmp_path / "u.jsonl", version=2)
    (sample,) = samples_of(tmp_path / "u.jsonl").values()
    assert (sample.split, sample.targets.sentiment, sample.targets.emotion) == (None, None, None)
    assert "split '(none)': 1 samples found, 10161 expected" in report.faults


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",-1.0,-1.0,-1.0,-1.0,", ",-1.2,-1.0,-1.0,-1.0,", "'label': sentiment -1.2 is not"),
        (",0.8,", ",1.8,", "'label_A': sentiment 1.8 is not from -1 to 1"),
        ("Negative,test", "Negative,tests", "'mode': 'tests' is not train.*did you mean 'test'"),
        ("Neutral,valid", "Mixed,valid", "'annotation': 'Mixed' is not in label set 'ch-sims'"),
        ("video_0001,0002", "video_0001,0001", "id 'video_0001_0001' is already at"),
        (",0002,", ",,", "column 'clip_id' is empty"),
        ("clip_id", "clip", "has no column 'clip_id'"),
    ],
)  # fmt: skip
def test_an_altered_row_of_ch_sims(tmp_path: Path, old: str, new: str, said: str) -> None:
    table = HEADER + "\n".join(SIMS) + "\n"
    plant(tmp_path, {"label.csv": table.replace(old, new)})
    with pytest.raises(EmollamaError, match=said):
        prepare_ch_sims(tmp_path, tmp_path / "m.jsonl")


def test_mosi_by_mmsas_table(tmp_path: Path) -> None:
    plant(tmp_path, {"label.csv": HEADER + "\n".join(MOSI) + "\n"})
    plant(tmp_path, clips(MOSI))
    report = prepare_mosei(tmp_path, tmp_path / "m.jsonl", corpus="mosi")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.sentiment, s.video) for n, s in samples.items()} == {
        "03bSnISJMiM_1": ("train", 2.4, "Raw/03bSnISJMiM/1.mp4"),
        "03bSnISJMiM_11": ("train", -0.5, "Raw/03bSnISJMiM/11.mp4"),
        "atnd_PF-Lbs_1": ("val", -3.0, "Raw/atnd_PF-Lbs/1.mp4"),
        "k5Y_838nuGo_1": ("test", -1.6, "Raw/k5Y_838nuGo/1.mp4"),
    }
    assert samples["atnd_PF-Lbs_1"].text == "ITS BAD" and not report.rejected
    assert not any("NO " in note for note in report.notes)
    (tmp_path / "label.csv").write_text(HEADER + "\n".join(MOSI).replace("-3.0", "-3.1"))
    with pytest.raises(EmollamaError, match=r"label.csv:4: .*sentiment -3.1 is not from -3 to 3"):
        prepare_mosei(tmp_path, tmp_path / "m.jsonl", corpus="mosi")


def test_mosei_has_its_columns_in_another_order(tmp_path: Path) -> None:
    header = "video_id,clip_id,text,label,annotation,mode,label_T,label_A,label_V\n"
    plant(
        tmp_path, {"label.csv": f"{header}101787,1,words,-0.6666666865348816,Negative,valid,,,\n"}
    )
    plant(tmp_path, ["Raw/101787/1.mp4"])
    prepare_mosei(tmp_path, tmp_path / "m.jsonl")
    sample = samples_of(tmp_path / "m.jsonl")["101787_1"]
    assert sample.targets.sentiment == -0.6666666865348816 and sample.split == "val"


def test_a_segment_of_no_length_is_odd(tmp_path: Path) -> None:
    rows = [f"v,{i},words {i},1.0,,,,Positive,train" for i in range(12)]
    spans = [f"v___{i}___{i}___{i + (i != 5)}___words {i}" for i in range(12)]
    plant(tmp_path, {"label.csv": HEADER + "\n".join(rows) + "\n"})
    plant(tmp_path, {"Raw/Transcript/Segmented/Combined/v.txt": "\n".join(spans)})
    plant(tmp_path, ["Raw/Videos/Full/Combined/v.mp4"])
    report = prepare_mosei(tmp_path, tmp_path / "m.jsonl")
    assert report.samples == 11 and report.rejected == {
        "Combined/v.txt:6": "5 to 5 s is not a valid span", "v_5": "not in the raw transcripts",
    }  # fmt: skip
