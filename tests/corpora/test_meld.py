"""MELD in miniature: clips beside the csv, faults of the release, counts, text alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.meld import EXPECTED, prepare_meld
from tests.corpora.trees import plant, samples_of

REAL = Path(__file__).parents[3] / "shared/data/meld"
HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime\r\n"
)


def row(dialogue: int, utterance: int, text: str = "Hi.", emotion: str = "joy") -> str:
    times = '"00:16:16,059","00:16:21,731"'
    return f'1,"{text}",Joey,{emotion},positive,{dialogue},{utterance},8,21,{times}\r\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return plant(
        tmp_path / "MELD.Raw",
        {
            "train_sent_emo.csv": "\ufeff" + HEADER + row(0, 0, "That\x92s it, \x96 you!")
            + row(0, 1, "Ros\u00e9\u2019s ""late""", "Anger ") + row(125, 3) + row(7, 7),
            "dev/dev_sent_emo.csv": HEADER + row(0, 0, emotion="neutral"),
            "train/train_splits/dia0_utt0.mp4": b"x",
            "train/train_splits/dia0_utt1.mp4": b"x",
            "train/train_splits/dia125_utt3.mp4": b"x",
            "train/train_splits/final_videos_testdia0_utt0.mp4": b"x",
            "train/train_splits/._dia0_utt0.mp4": b"x",
        },
    )  # fmt: skip


def test_clips_words_and_what_is_left_out(root: Path, tmp_path: Path) -> None:
    report = prepare_meld(root, tmp_path / "out/m.jsonl")
    samples = samples_of(tmp_path / "out/m.jsonl")
    assert list(samples) == ["train_dia0_utt0", "train_dia0_utt1", "dev_dia0_utt0"]
    first = samples["train_dia0_utt0"]
    assert first.text == "That’s it, – you!"
    assert first.video == "../MELD.Raw/train/train_splits/dia0_utt0.mp4"
    assert (first.speaker, first.group, first.split) == ("Joey", "train_dia0", "train")
    assert (first.targets.emotion, first.targets.native) == ("joy", "joy")
    assert first.truth == {"sentiment": "positive", "season": "8", "episode": "21"}
    assert samples["train_dia0_utt1"].targets.emotion == "anger"
    assert samples["train_dia0_utt1"].text == "Rosé’s late"
    assert first.context == () and samples["train_dia0_utt1"].context == (
        "Joey: That’s it, – you!",
    )
    # No folder of dev clips: words alone.
    assert samples["dev_dia0_utt0"].split == "val" and samples["dev_dia0_utt0"].video is None
    assert report.rejected == {
        "train_dia125_utt3": "known to be broken: the video cannot be read",
        "train_dia7_utt7": "file is missing",
        "train: final_videos_testdia0_utt0.mp4": "a clip without an annotation",
    }
    assert report.faults == (
        "split 'train': 4 samples found, 9989 expected",
        "split 'val': 1 samples found, 1109 expected",
        "split 'test': 0 samples found, 2610 expected",
        "split 'train': files of 1 of 4 samples are missing",
    )
    told = "\n".join(report.lines())
    assert "NOT AS PUBLISHED: split 'val'" in told and "NO CLIPS" in told
    assert "train_sent_emo.csv: 1 texts with mis-encoded characters corrected" in told


def test_context_is_the_dialogue_so_far_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = [row(3, n, f"Line {n}.") for n in range(15)]
    table = HEADER + "".join([rows[14], *rows[:14], row(4, 1, "Another.")])
    root = plant(tmp_path / "MELD.Raw", {"train_sent_emo.csv": table})
    prepare_meld(root, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert samples["train_dia3_utt14"].context == tuple(f"Joey: Line {n}." for n in range(2, 14))
    assert samples["train_dia3_utt1"].context == ("Joey: Line 0.",)
    assert samples["train_dia4_utt1"].context == ()


def test_known_bad_clips_can_be_kept(root: Path, tmp_path: Path) -> None:
    report = prepare_meld(root, tmp_path / "m.jsonl", keep_bad=True)
    assert "train_dia125_utt3" in samples_of(tmp_path / "m.jsonl")
    assert "train_dia125_utt3" not in report.rejected


def test_strict_names_split_found_and_expected(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match=r"split 'train': 4 samples found, 9989 expected"):
        prepare_meld(root, tmp_path / "m.jsonl", strict=True)
    assert not (tmp_path / "m.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + row(0, 0) + row(0, 0), r"csv:3: id 'train_dia0_utt0' is already at .*csv:2"),
        (HEADER + row(0, 0, emotion="glee"), r"csv:2: column 'Emotion': 'glee' is not in"),
        (HEADER.replace("Speaker", "Who") + row(0, 0), r"csv:1: has no column 'Speaker'"),
        (HEADER + row(0, 0)[:30] + "\r\n", r"csv:2: .*"),
        (
            HEADER + row(0, 0).replace("positive,0", "positive,zero"),
            r"csv:2: 'zero' is not a number of a dialogue",
        ),
        (HEADER + row(0, 0).replace("positive", "good"), r"csv:2: column 'Sentiment': 'good'"),
        ("", "is empty"),
        (HEADER, "no sample is usable"),
        (b"\xff\xfe\x00a", "is not UTF-8 text"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    plant(tmp_path, {"train_sent_emo.csv": content})
    with pytest.raises(EmollamaError, match=said):
        prepare_meld(tmp_path, tmp_path / "m.jsonl")


def test_columns_in_another_order(tmp_path: Path) -> None:
    header = "utterance_id,DIALOGUE_ID, Emotion,Sentiment,Speaker,Utterance,SEASON,episode\n"
    plant(tmp_path, {"train_sent_emo.csv": header + "4,2,fear,negative,,,8,21\n"})
    prepare_meld(tmp_path, tmp_path / "m.jsonl")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert sample.id == "train_dia2_utt4" and sample.text is None and sample.speaker is None
    assert sample.truth == {"sentiment": "negative", "season": "8", "episode": "21"}


def test_a_folder_without_meld(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has no train_sent_emo"):
        prepare_meld(tmp_path, tmp_path / "m.jsonl")
    with pytest.raises(EmollamaError, match="is not a folder; give the folder of MELD, with"):
        prepare_meld(tmp_path / "nowhere", tmp_path / "m.jsonl")


@pytest.mark.skipif(not REAL.is_dir(), reason="MELD's csv files are not here")
def test_the_released_tables(tmp_path: Path) -> None:
    report = prepare_meld(REAL, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl").values()
    assert report.splits == {"train": 9989, "val": 1109}
    assert report.faults == ("split 'test': 0 samples found, 2610 expected",)
    for split in ("train", "val"):
        found = Counter(s.targets.emotion for s in samples if s.split == split)
        assert found == EXPECTED[split]
    assert len({s.group for s in samples if s.split == "train"}) == 1038
    assert not any("\x80" <= c < "\xa0" for s in samples for c in s.text or "")
