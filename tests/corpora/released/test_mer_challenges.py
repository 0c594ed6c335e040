"""MER2024, MER2025 and MER2026, held against what is public of their tables.

zeroQiaoba/MERTools at 89120b780ab18b28349f0e37dcc12b8cc253cb02: MER2024/ov_store/check-openset.csv
(header and four rows); MER2024/toolkit/preprocess/mer2024.py and MER2025/MER2025_Track1/toolkit/
preprocess/mer2025.py (names of files, folders and columns); README.md of MER2025 and MER2026
(counts). ooochen-30/Emotion-LLaMA-v2 at 5f0a408b193e9b94f1cc53470de707de125fea40,
evaluation/hitrate_gt/gt_mer2024_semi_other.npz (labels of three clips). Rows of the tables of
MER2025 and MER2026 are as public projects that have them quote them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.mer_challenges import TABLES, prepare_mer_challenge, words_of
from tests.corpora.trees import plant, samples_of

WORDS = {
    "sample_00000000": "['pleasurable', 'self-deprecating', 'relaxed', 'complaining', 'relieved', "
    "'humorous', 'joyful', 'happy']",
    "sample_00000007": "['excited', 'joyful', 'happy']",
    "sample_00000021": "['suspect', 'question', 'doubt']",
    "sample_00000033": "['pessimism', 'worry']",
}
LABELS = (
    "name,discrete,valence\nsamplenew3_00052582,surprise,1.0\nsamplenew3_00048705,worried,-2.5\n"
    "samplenew3_00061393,neutral,0.0\n"
)


def openset(rows: dict[str, str]) -> str:
    return "name,openset\n" + "".join(f'{name},"{words}"\n' for name, words in rows.items())


def test_words_of_mer2024(tmp_path: Path) -> None:
    plant(tmp_path, {"check-openset.csv": openset(WORDS)})
    plant(tmp_path, [f"video-unlabeled-with-test2noise/{name}.avi" for name in WORDS])
    report = prepare_mer_challenge(tmp_path, tmp_path / "m.jsonl", year=2024, table="words")
    samples = samples_of(tmp_path / "m.jsonl")
    assert samples["sample_00000007"].targets.words == ("excited", "joyful", "happy")
    assert samples["sample_00000033"].targets.words == ("pessimism", "worry")
    assert samples["sample_00000000"].targets.words is not None
    assert len(samples["sample_00000000"].targets.words) == 8
    assert samples["sample_00000021"].video == (
        "video-unlabeled-with-test2noise/sample_00000021.avi"
    )
    assert report.faults == ("split 'test': 4 samples found, 332 expected",)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("['excited', 'joyful', 'happy']", ("excited", "joyful", "happy")),  # MER2024, OV-MERD
        ("[concern, pessimism]", ("concern", "pessimism")),  # MER-Caption+
        ("shocked,care,serious", ("shocked", "care", "serious")),  # MER2026, annotated by people
        ("[]", ()),
        ("", ()),
        ("['Happy', 'happy', 'a  little nervous']", ("Happy", "a little nervous")),
    ],
)
def test_three_forms_of_a_set_of_words(written: str, words: tuple[str, ...]) -> None:
    assert words_of(written) == words


@pytest.mark.parametrize(
    ("year", "folder"), [(2024, "video-labeled"), (2025, "video"), (2026, "video")]
)
def test_labels_valences_and_subtitles(tmp_path: Path, year: int, folder: str) -> None:
    names = [line.split(",")[0] for line in LABELS.splitlines()[1:]]
    subtitles = "name,chinese,english\nsamplenew3_00052582,花有重开日,Flowers bloom again.\n"
    file = TABLES[year]["labels"].file
    plant(tmp_path, {file: LABELS, "subtitle_chieng.csv": subtitles})
    plant(tmp_path, [f"{folder}/{name}.mp4" for name in names])
    report = prepare_mer_challenge(tmp_path, tmp_path / "m.jsonl", year=year)
    samples = samples_of(tmp_path / "m.jsonl")
    assert [(s.targets.emotion, s.targets.valence, s.split) for s in samples.values()] == [
        ("surprise", 1.0, "train"), ("worried", -2.5, "train"), ("neutral", 0.0, "train"),
    ]  # fmt: skip
    assert samples[names[0]].text == "Flowers bloom again." and samples[names[1]].text is None
    assert "2 without a subtitle in english" in report.notes
    out = tmp_path / "c.jsonl"
    prepare_mer_challenge(tmp_path, out, year=year, language="chinese")
    assert samples_of(out)[names[0]].text == "花有重开日"
    rows = TABLES[year]["labels"].rows
    assert bool(report.faults) == (rows is not None)


def test_candidates_have_names_alone(tmp_path: Path) -> None:
    plant(tmp_path, {"track1_track2_candidate.csv": "name\nsamplenew3_00000058\n"})
    plant(tmp_path, ["video/samplenew3_00000058.mp4"])
    prepare_mer_challenge(tmp_path, tmp_path / "m.jsonl", year=2026, table="candidates")
    (sample,) = samples_of(tmp_path / "m.jsonl").values()
    assert sample.targets.emotion is None and sample.targets.words is None
    assert (sample.split, sample.video) == ("test", "video/samplenew3_00000058.mp4")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",surprise,", ",surprize,", r"csv:2: column 'discrete': 'surprize' is not in label set"),
        (",-2.5", ",-7.5", r"csv:3: column 'valence': -7.5 is neither from -5 to 5 nor -10"),
        ("00048705", "00052582", r"csv:3: id 'samplenew3_00052582' is already at"),
        ("discrete", "emotion", r"csv:1: has no column 'discrete'"),
    ],
)
def test_an_altered_table(tmp_path: Path, old: str, new: str, said: str) -> None:
    plant(tmp_path, {"track1_train_disdim.csv": LABELS.replace(old, new)})
    with pytest.raises(EmollamaError, match=said):
        prepare_mer_challenge(tmp_path, tmp_path / "m.jsonl", year=2025)


def test_what_there_is_not(tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    with pytest.raises(EmollamaError, match="MER2027 is unknown; there are MER2024"):
        prepare_mer_challenge(tmp_path, out, year=2027)
    with pytest.raises(EmollamaError, match=r"no table 'word'; did you mean 'words'"):
        prepare_mer_challenge(tmp_path, out, year=2026, table="word")
    with pytest.raises(EmollamaError, match=r"has no track2_train_human.csv"):
        prepare_mer_challenge(tmp_path, out, year=2026, table="words")
