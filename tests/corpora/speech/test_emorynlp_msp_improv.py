"""EmoryNLP and MSP-IMPROV: real lines, and what happens where one is altered."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.speech.emorynlp import prepare_emorynlp
from emollama.corpora.readers.speech.msp_improv import prepare_msp_improv
from tests.corpora.trees import plant, samples_of

# declare-lab/MELD, commit 39766f44562ef0cbd9472c99f5891f75355e02cf,
# data/emorynlp/emorynlp_test_final.csv (the first rows) and emorynlp_train_final.csv (line 328).
HEADER = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
TEST = (
    HEADER
    + "I'm thinking we've got a bookcase here.,['Joey Tribbiani'],Neutral,4,3,1,1,00:09:39.453,"
    "00:09:42.247\n"
    "It's a beautiful thing.,['Chandler Bing'],Joyful,4,4,1,1,00:09:43.416,00:09:48.169\n"
)
TRAIN = (
    HEADER
    + "Shut up!,\"['Monica Geller', 'Phoebe Buffay']\",Mad,12,5,1,4,00:17:13.615,00:17:16.868\n"
)


def test_emorynlp(tmp_path: Path) -> None:
    files = {"emorynlp_test_final.csv": TEST, "emorynlp_train_final.csv": TRAIN}
    root = plant(tmp_path / "e", files)
    plant(root, ["emorynlp_test_splits/sea1_ep1_sc4_utt3.mp4"])
    report = prepare_emorynlp(root, tmp_path / "m.jsonl")
    found = samples_of(tmp_path / "m.jsonl")
    both, first = found["sea1_ep4_sc12_utt5"], found["sea1_ep1_sc4_utt3"]
    assert (both.speaker, both.split, both.video) == ("Monica Geller, Phoebe Buffay", "train", None)
    assert (both.targets.emotion, both.targets.native, both.text) == ("mad", "Mad", "Shut up!")
    assert (first.targets.emotion, first.group) == ("neutral", "sea1_ep1_sc4")
    assert first.video == "e/emorynlp_test_splits/sea1_ep1_sc4_utt3.mp4"
    assert report.rejected == {"sea1_ep1_sc4_utt4": "file is missing"}
    plant(root, ["emorynlp_test_splits/sea1_ep1_sc4_utt4.mp4"])
    prepare_emorynlp(root, tmp_path / "m.jsonl")
    second = samples_of(tmp_path / "m.jsonl")["sea1_ep1_sc4_utt4"]
    assert second.context == ("Joey Tribbiani: I'm thinking we've got a bookcase here.",)
    with pytest.raises(EmollamaError, match="split 'test': 2 samples found, 984 expected"):
        prepare_emorynlp(root, tmp_path / "s.jsonl", strict=True)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("['Joey Tribbiani']", "Joey Tribbiani", r"csv:2: column 'Speaker': 'Joey Tribbiani' is"),
        ("Neutral", "Neutrl", r"csv:2: column 'Emotion': 'Neutrl' is not in label set"),
        (",4,3,", ",4,x,", r"csv:2: column 'Utterance_ID': 'x' is not a number"),
        (",4,4,", ",4,3,", r"csv:3: id 'sea1_ep1_sc4_utt3' is already"),
        ("Scene_ID", "Dialogue_ID", r"csv:1: has no column 'Scene_ID'"),
    ],
)
def test_an_altered_row_is_found(tmp_path: Path, before: str, after: str, told: str) -> None:
    plant(tmp_path, {"emorynlp_test_final.csv": TEST.replace(before, after, 1)})
    with pytest.raises(EmollamaError, match=told):
        prepare_emorynlp(tmp_path, tmp_path / "m.jsonl")


# Names and labels of gogyzzz/localatt_emorecog, README.md, commit
# 0236448a2bfe5848b1254ea61fe7fe68a36ba768 (S01A-F01-P-FM01 N, S01A-F01-P-FM02 H), means of
# huggingface.co/datasets/cairocode/MSPI_Emotion2Vec_Text (S08A-F01-S-FM01, S02H-M03-P-MF01,
# S10A-F01-P-FM01), in the form of Strong-AI-Lab/emotion, datasets/MSP-IMPROV/process.py, commit
# 4888a90862b770a3225a0fbb213fdaa81184adb0. Lines of raters are in that form, their content is ours.
EVALUATION = """UTD-IMPROV-S08A-F01-S-FM01.avi; A; A:3.000000; V:1.800000; D:3.200000 ; N:3.000000;

UTD-IMPROV-S02H-M03-P-MF01.avi; H; A:2.800000; V:4.200000; D:3.000000 ; N:4.600000;
1407_a; Happy; Excited; A:3.000000; V:4.000000; D:3.000000; N:5.000000;
1407_a; Happy; Excited; A:3.000000; V:4.000000; D:3.000000; N:5.000000;
1412; Neutral; ; A:2.000000; V:4.000000; D:3.000000; N:4.000000;
1419; Other; Calm; A:2.000000; V:4.000000; D:3.000000; N:NaN;
UTD-IMPROV-S10A-F01-P-FM01.avi; N; A:4.166667; V:3.000000; D:1.833333 ; N:NaN;
UTD-IMPROV-S01A-F01-P-FM02.avi; X; A:2.500000; V:3.000000; D:2.500000 ; N:4.000000;
"""


def msp_improv(root: Path, table: str = EVALUATION) -> Path:
    names = ("S08A-F01-S-FM01", "S02H-M03-P-MF01", "S10A-F01-P-FM01", "S01A-F01-P-FM02")
    plant(root, [f"session{n[7]}/{n[:4]}/{n[9]}/MSP-IMPROV-{n}.wav" for n in names])
    return plant(root, {"Evalution.txt": table, f"session1/UTD-IMPROV-{names[0]}.avi": b"x"})


def test_msp_improv(tmp_path: Path) -> None:
    report = prepare_msp_improv(
        msp_improv(tmp_path / "m"), tmp_path / "m.jsonl", test_session=3, val_session=2
    )
    angry, happy, neutral = samples_of(tmp_path / "m.jsonl").values()
    assert (angry.id, angry.speaker, angry.group, angry.split) == (
        "S08A-F01-S-FM01", "F01", "session-1", "train",
    )  # fmt: skip
    assert angry.audio == "m/session1/S08A/S/MSP-IMPROV-S08A-F01-S-FM01.wav"
    assert angry.video == "m/session1/UTD-IMPROV-S08A-F01-S-FM01.avi"
    assert (angry.targets.valence, angry.targets.arousal, angry.targets.votes) == (1.8, 3.0, None)
    assert (happy.split, happy.targets.votes) == ("test", {"happy": 1, "neutral": 1})
    assert happy.truth == {"intended": "happy", "recording": "natural"}
    assert (neutral.targets.emotion, neutral.targets.arousal) == ("neutral", 4.166667)
    assert report.rejected == {"S01A-F01-P-FM02": "raters did not agree"}
    assert report.faults == ("split 'all clips': 3 samples found, 7798 expected",)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (".avi; A;", ".avi; B;", r"txt:1: .* a label A, H, S, N, O or X"),
        ("S08A-F01-S", "S08A-F11-S", r"txt:1: .* must be a clip like"),
        ("1412; Neutral", "1412; Neutrl", r"txt:6: '1412; Neutrl.* is neither a clip nor a rater"),
        ("S10A-F01-P-FM01", "S08A-F01-S-FM01", r"txt:8: 'S08A-F01-S-FM01' is already at .*txt:1"),
    ],
)
def test_an_altered_line_is_found(tmp_path: Path, before: str, after: str, told: str) -> None:
    root = msp_improv(tmp_path, EVALUATION.replace(before, after, 1))
    with pytest.raises(EmollamaError, match=told):
        prepare_msp_improv(root, tmp_path / "m.jsonl")


def test_sessions_that_are_not_there(tmp_path: Path) -> None:
    root, out = msp_improv(tmp_path), tmp_path / "m.jsonl"
    with pytest.raises(EmollamaError, match="--test-session 7: there are sessions 1 to 6"):
        prepare_msp_improv(root, out, test_session=7)
    with pytest.raises(EmollamaError, match="session 6 cannot be both"):
        prepare_msp_improv(root, out, val_session=6)
