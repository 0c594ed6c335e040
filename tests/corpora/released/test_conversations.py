"""IEMOCAP and MELD as papers count them: public lists, the turns before, MELD_Dyadic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.iemocap import SIX, UNDECIDED, prepare_iemocap
from emollama.corpora.readers.meld import DYADIC, prepare_meld
from tests.corpora.trees import plant, samples_of


def iemocap(root: Path, *codes: tuple[str, str]) -> Path:
    """A dialogue of session 5 with utterances of two seconds, one after the other."""
    dialogue = codes[0][0].rpartition("_")[0]
    folder = f"Session{dialogue[4]}"
    lines, said, files = "", "", {}
    for i, (name, code) in enumerate(codes):
        lines += f"[{2 * i}.5000 - {2 * i + 2}.0000]\t{name}\t{code}\t[2.5000, 3.0000, 2.0000]\n"
        said += f"{name} [{2 * i:03d}.5000-{2 * i + 2:03d}.0000]: words {i}\n"
        files[f"{folder}/sentences/wav/{dialogue}/{name}.wav"] = b"x"
    place = f"{folder}/dialog/{{}}/{dialogue}.txt"
    return plant(
        root, {place.format("EmoEvaluation"): lines, place.format("transcriptions"): said, **files}
    )


def test_the_7433_are_53_more_than_the_majority() -> None:
    # zeroQiaoba/MERTools at 89120b780ab18b28349f0e37dcc12b8cc253cb02,
    # MERBench/dataset/iemocap-process/label_6way.npz: 648 of class 0 (happy), 53 of which
    # label_4way.npz beside it, which holds happy and excited, does not have.
    assert sum(SIX.values()) == 7380 and SIX["happy"] == 595 and len(UNDECIDED) == 53
    named = {"Ses01F_impro03_F007", "Ses03M_impro05a_F017", "Ses05F_impro07_M010"}
    assert named <= UNDECIDED


def test_undecided_utterances_count_as_happy_on_request(tmp_path: Path) -> None:
    name = "Ses05F_impro07_M010"
    root = iemocap(tmp_path / "i", (name, "xxx"), ("Ses05F_impro07_F000", "hap"),
                   ("Ses05F_impro07_F001", "xxx"))  # fmt: skip
    out = tmp_path / "m.jsonl"
    prepare_iemocap(root, out, classes=6)
    assert name not in samples_of(out)
    report = prepare_iemocap(root, out, classes=6, undecided=True)
    targets = samples_of(out)[name].targets
    assert (targets.emotion, targets.native) == ("happy", "xxx")
    assert "Ses05F_impro07_F001" in report.rejected
    assert "split 'all sessions': 2 samples found, 7433 expected" in report.faults
    with pytest.raises(EmollamaError, match="--classes 6"):
        prepare_iemocap(root, out, undecided=True)


def test_a_public_list_takes_the_place_of_the_majority(tmp_path: Path) -> None:
    # ooochen-30/Emotion-LLaMA-v2 at 5f0a408b193e9b94f1cc53470de707de125fea40,
    # evaluation/hitrate_gt/gt_iemocap_Session5.npz: three of its 1,496 arrays.
    gold = tmp_path / "gt_iemocap_Session5.npz"
    np.savez(gold, **{"Ses05F_impro01_F000": "neutral", "Ses05F_impro01_F017": "anger",
                      "Ses05F_impro01_M003": "neutral"})  # fmt: skip
    root = iemocap(tmp_path / "i", ("Ses05F_impro01_F000", "neu"), ("Ses05F_impro01_F001", "sad"),
                   ("Ses05F_impro01_M003", "xxx"), ("Ses05F_impro01_F017", "ang"))  # fmt: skip
    out = tmp_path / "m.jsonl"
    report = prepare_iemocap(root, out, given=gold)
    assert {n: s.targets.emotion for n, s in samples_of(out).items()} == {
        "Ses05F_impro01_F000": "neutral", "Ses05F_impro01_M003": "neutral",
        "Ses05F_impro01_F017": "angry",
    }  # fmt: skip
    assert report.rejected == {"Ses05F_impro01_F001": "not in the list"}
    assert not any("session 5" in fault for fault in report.faults)
    np.savez(gold, Ses05F_impro01_F000="delighted-ish")
    with pytest.raises(EmollamaError, match=r"Session5.npz: 'Ses05F_impro01_F000': 'delighted-ish"):
        prepare_iemocap(root, out, given=gold)
    np.savez(gold, names=["a"])
    with pytest.raises(EmollamaError, match=r"'names' is not an utterance like Ses05F"):
        prepare_iemocap(root, out, given=gold)
    with pytest.raises(EmollamaError, match=r"nowhere.npz: is not an npz"):
        prepare_iemocap(root, out, given=tmp_path / "nowhere.npz")


def test_the_turns_before_an_utterance(tmp_path: Path) -> None:
    names = [f"Ses01F_impro01_{who}{i:03d}" for i in range(8) for who in "FM"]
    root = iemocap(tmp_path / "i", *((n, "xxx") for n in names[:-1]), (names[-1], "neu"))
    prepare_iemocap(root, tmp_path / "m.jsonl")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert len(sample.context) == 12 and sample.text == "words 15"
    assert sample.context[0] == "Ses01M: words 3" and sample.context[-1] == "Ses01F: words 14"


def test_a_line_of_no_length_is_odd(tmp_path: Path) -> None:
    names = [f"Ses01F_impro01_F{i:03d}" for i in range(11)]
    root = iemocap(tmp_path / "i", *((n, "neu") for n in names))
    file = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    file.write_text(file.read_text().replace("[2.5000 - 4.0000]", "[2.5000 - 2.5000]"))
    report = prepare_iemocap(root, tmp_path / "m.jsonl")
    assert report.samples == 10
    assert report.rejected == {
        "EmoEvaluation/Ses01F_impro01.txt:2": "2.5 to 2.5 s is not a valid span"
    }


# declare-lab/MELD at 2d2011b409d3ca2d7e94460cd007d434b1d0a102,
# data/MELD_Dyadic/test_sent_emo_dya.csv: its header, lines 20 to 22.
DYADIC_LINES = (
    "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Old_Dialogue_ID,"
    "Old_Utterance_ID,Season,Episode,StartTime,EndTime\n"
    '"Ugh, can you believe that guy!",Ross,disgust,negative,2,5,3,5,5,15,"00:06:26,177",'
    '"00:06:28,178"\n'
    '"Ugh, can you believe that guy!",Ross,disgust,negative,3,0,3,5,5,15,"00:06:26,177",'
    '"00:06:28,178"\n'
    'Yeah. I really like his glasses.,Phoebe,neutral,neutral,3,1,3,6,5,15,"00:06:28,346",'
    '"00:06:30,889"\n'
)


def test_meld_dyadic(tmp_path: Path) -> None:
    assert [sum(n.values()) for n in DYADIC.values() if not isinstance(n, int)] == [
        12840, 1462, 3400,
    ]  # fmt: skip
    plant(tmp_path, {"MELD_Dyadic/test_sent_emo_dya.csv": DYADIC_LINES})
    plant(tmp_path, [f"output_repeated_splits_test/dia3_utt{i}.mp4" for i in (5, 6)])
    prepare_meld(tmp_path, tmp_path / "m.jsonl", dyadic=True)
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: s.video for n, s in samples.items()} == {
        "test_dya2_utt5": "output_repeated_splits_test/dia3_utt5.mp4",
        "test_dya3_utt0": "output_repeated_splits_test/dia3_utt5.mp4",
        "test_dya3_utt1": "output_repeated_splits_test/dia3_utt6.mp4",
    }
    last = samples["test_dya3_utt1"]
    assert last.context == ("Ross: Ugh, can you believe that guy!",)
    assert last.targets.emotion == "neutral" and last.group == "test_dya3"
    altered = DYADIC_LINES.replace("Old_Dialogue_ID", "Dialogue")
    plant(tmp_path, {"MELD_Dyadic/test_sent_emo_dya.csv": altered})
    with pytest.raises(EmollamaError, match="has no column 'Old_Dialogue_ID'"):
        prepare_meld(tmp_path, tmp_path / "m.jsonl", dyadic=True)


def test_meld_says_how_many_papers_score(tmp_path: Path) -> None:
    header = DYADIC_LINES.partition("\n")[0].replace("Old_Dialogue_ID,Old_Utterance_ID,", "")
    rows = "".join(f"\nHi.,Ross,joy,positive,{d},{u},5,15,a,b" for d, u in ((38, 4), (38, 5)))
    plant(tmp_path, {"test_sent_emo.csv": header + rows})
    plant(tmp_path, [f"output_repeated_splits_test/dia38_utt{i}.mp4" for i in (4, 5)])
    report = prepare_meld(tmp_path, tmp_path / "m.jsonl")
    assert "1 test utterances, but papers score 2610: --keep-bad keeps" in "\n".join(report.notes)
    assert prepare_meld(tmp_path, tmp_path / "m.jsonl", keep_bad=True).samples == 2
