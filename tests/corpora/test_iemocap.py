"""IEMOCAP in miniature: two sessions, both label sets, sound and picture, sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.iemocap import SESSIONS, SIX, prepare_iemocap
from tests.corpora.trees import plant, samples_of

HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def line(name: str, code: str, span: str = "6.2901 - 8.2357") -> str:
    return f"[{span}]\t{name}\t{code}\t[2.5000, 3.0000, 2.0000]\nC-E2:\tNeutral;\t()\n\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    one, five = "Session1/dialog", "Session5/dialog"
    names = [("neu", "F000"), ("exc", "M000"), ("fru", "F001"), ("xxx", "M001"), ("sad", "F002")]
    evaluation = HEAD + "".join(line(f"Ses01F_impro01_{n}", code) for code, n in names)
    wavs = [f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{n}.wav" for _, n in names[:4]]
    return plant(
        tmp_path / "IEMOCAP_full_release",
        {
            f"{one}/EmoEvaluation/Ses01F_impro01.txt": evaluation,
            f"{one}/EmoEvaluation/._Ses01F_impro01.txt": b"\x00\x05\x16\x07\xff",
            f"{one}/transcriptions/Ses01F_impro01.txt": (
                "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me: now.\nM: [1-2]: hm\n"
            ),
            f"{one}/avi/DivX/Ses01F_impro01.avi": b"x",
            f"{five}/EmoEvaluation/Ses05M_script03_1.txt": line("Ses05M_script03_1_M033", "ang"),
            f"{five}/avi/DivX/Ses05M_script03_1.avi": b"x",
            "Session5/sentences/wav/Ses05M_script03_1/Ses05M_script03_1_M033.wav": b"x",
            **dict.fromkeys(wavs, b"x"),
        },
    )


def test_four_classes_of_sound(root: Path, tmp_path: Path) -> None:
    report = prepare_iemocap(root.parent, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.targets.native, s.targets.emotion) for n, s in samples.items()} == {
        "Ses01F_impro01_F000": ("neu", "neutral"),
        "Ses01F_impro01_M000": ("exc", "happy"),
        "Ses05M_script03_1_M033": ("ang", "angry"),
    }
    first = samples["Ses01F_impro01_F000"]
    assert first.text == "Excuse me: now." and first.video is None and first.start is None
    assert first.audio is not None and first.audio.endswith("Ses01F_impro01_F000.wav")
    assert (first.speaker, first.group, first.split) == ("Ses01F", "session-1", "train")
    assert (first.targets.valence, first.targets.arousal) == (2.5, 3.0)
    assert first.truth == {"dominance": 2.0, "side": "left"}
    assert samples["Ses01F_impro01_M000"].truth["side"] == "right"
    assert samples["Ses05M_script03_1_M033"].split == "test"
    assert report.rejected == {
        "Ses01F_impro01_F001": "label 'fru' is not one of the 5 in use",
        "Ses01F_impro01_M001": "label 'xxx' is not one of the 5 in use",
        "Ses01F_impro01_F002": "file is missing",
    }
    assert report.faults[0] == "split 'session 1': 3 samples found, 1085 expected"
    assert "split 'session 1': files of 1 of 3 samples are missing" in report.faults
    assert "no Session2" in report.notes


def test_six_classes_of_pictures_with_another_test(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    prepare_iemocap(root, out, classes=6, test_session=1, val_session=5, media="video")
    samples = samples_of(out)
    assert samples["Ses01F_impro01_M000"].targets.emotion == "excited"
    assert samples["Ses01F_impro01_F001"].targets.emotion == "frustrated"
    first = samples["Ses01F_impro01_F000"]
    assert (first.start, first.end, first.split) == (6.2901, 8.2357, "test")
    assert first.video == "IEMOCAP_full_release/Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    assert samples["Ses05M_script03_1_M033"].split == "val"


def test_strict(root: Path, tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="session 5': 1 samples found, 1241 expected"):
        prepare_iemocap(root, tmp_path / "m.jsonl", strict=True)
    with pytest.raises(EmollamaError, match="all sessions': 5 samples found, 7380 expected"):
        prepare_iemocap(root, tmp_path / "m.jsonl", classes=6, strict=True)


def test_published_counts_add_up() -> None:
    whole = {label: sum(s[label] for s in SESSIONS.values()) for label in SESSIONS[1]}
    assert whole == {"angry": 1103, "happy": 1636, "sad": 1084, "neutral": 1708}
    assert SIX["happy"] + SIX["excited"] == whole["happy"] and sum(SIX.values()) == 7380


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (line("Ses01F_impro01_F000", "joy"), r"impro01.txt:1: emotion 'joy' is unknown"),
        (line("Ses02F_impro01_F000", "neu"), r"'Ses02F_impro01_F000' is not an utterance of"),
        (line("Ses01F_impro01_F000", "neu") * 2, r"impro01.txt:4: id .* is already at .*:1"),
        (
            line("Ses01F_impro01_F000", "neu") + line("Ses01F_impro01_F000", "xxx"),
            r"impro01.txt:4: id .* is already at .*:1",
        ),
        (line("Ses01F_impro01_F000", "neu", "8.2 - 6.1"), "8.2 to 6.1 s is not a valid span"),
        (line("Ses01F_impro01_F000", "neu", "x - 6.1"), r"txt:1: 'x' is not a number"),
        ("\n[1.0 - 2.0]\tSes01F_impro01_F000\n", r"txt:2: is not \[start - end\]"),
    ],
)
def test_lines_that_are_none(root: Path, tmp_path: Path, written: str, said: str) -> None:
    plant(root, {"Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": written})
    with pytest.raises(EmollamaError, match=said):
        prepare_iemocap(root, tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": 5}, "classes must be 4 or 6"),
        ({"test_session": 6}, "session 6 does not exist"),
        ({"val_session": 0}, "session 0 does not exist"),
        ({"val_session": 5}, "both for validation and for test"),
        ({"media": "text"}, "media must be"),
    ],
)
def test_options_that_are_none(
    root: Path, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_iemocap(root, tmp_path / "m.jsonl", **options)  # type: ignore[arg-type]


def test_no_sessions(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has no folder Session1"):
        prepare_iemocap(tmp_path, tmp_path / "m.jsonl")
