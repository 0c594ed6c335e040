"""MAFW and FERV39k, held against the public lists of clips and labels.

sunlicai/MAE-DFER at 80b651d4f669469df39fe5afbb40521fc9167782: preprocess/mafw.py and ferv39k.py
(the form of a line of the release, the order of labels), saved/data/mafw/single/split01/train.csv
and test.csv, saved/data/ferv39k/all_scenes/train.csv (clips and labels). The test lines of FERV39k:
zengqunzhao/DFER-CLIP at d10d5a4310a60c477778a086a292b591ee50e2ce, annotation/FERV39K_test.txt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.films.ferv39k import EXPECTED, prepare_ferv39k
from emollama.corpora.readers.films.mafw import COUNTS, prepare_mafw
from tests.corpora.trees import plant, samples_of

MAFW = {
    "train": "03747.mp4 anger\n08394.mp4 anger\n09354.mp4 surprise\n",
    "test": "00025.mp4 anger\n00710.mp4 disgust\n03237.mp4 disappointment\n",
}
FERV = {
    "train": "Crime/Angry/0063 Angry\nDailyLife/Angry/0619 Angry\nArgue/Surprise/0196 Surprise\n",
    "test": "Action/Happy/0015 Happy\nAction/Happy/0047 Happy\nAction/Happy/0009 Happy\n",
}


def mafw(root: Path, folder: str = "Train & Test Set/single/no_caption", **changed: str) -> Path:
    lists = {**MAFW, **changed}
    return plant(root, {f"{folder}/set_1/{split}.txt": text for split, text in lists.items()})


@pytest.mark.parametrize("form", ["data/clips/{}.mp4", "data/frames/{}/{}.jpg", "x/y/{}.avi"])
@pytest.mark.parametrize(
    "folder", ["Train & Test Set/single/no_caption", "split/single/no_caption"]
)
def test_mafw(tmp_path: Path, form: str, folder: str) -> None:
    names = [line.split(".")[0] for text in MAFW.values() for line in text.splitlines()]
    root = plant(mafw(tmp_path, folder), [form.format(name, 1) for name in names])
    report = prepare_mafw(root, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.emotion) for n, s in samples.items()} == {
        "03747": ("train", "anger"), "08394": ("train", "anger"), "09354": ("train", "surprise"),
        "00025": ("test", "anger"), "00710": ("test", "disgust"),
        "03237": ("test", "disappointment"),
    }  # fmt: skip
    assert not report.rejected and {sum(pair) for pair in COUNTS.values()} == {9172}
    assert report.faults == (
        "split 'train': 3 samples found, 7333 expected",
        "split 'test': 3 samples found, 1839 expected",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("03747.mp4 angst\n", r"train.txt:1: 'angst' is not in label set 'mafw'"),
        ("03747.mp4\n", r"train.txt:1: must hold a clip and its label: 00025.mp4 anger"),
        ("00025.mp4 anger\n", r"test.txt:1: id '00025' is already at .*train.txt:1"),
    ],
)
def test_an_altered_line_of_mafw(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_mafw(mafw(tmp_path, train=text), tmp_path / "m.jsonl")
    with pytest.raises(EmollamaError, match="has no Train & Test Set/single/no_caption/set_2/tr"):
        prepare_mafw(tmp_path, tmp_path / "m.jsonl", fold=2)


def ferv(root: Path, **changed: str) -> Path:
    lists = {**FERV, **changed}
    place = "4_setups/All_scenes/{}_All.csv"
    return plant(root, {place.format(split): text for split, text in lists.items()})


def test_ferv39k(tmp_path: Path) -> None:
    assert [sum(n.values()) for n in EXPECTED.values() if not isinstance(n, int)] == [31088, 7847]
    names = [line.split()[0] for text in FERV.values() for line in text.splitlines()]
    root = plant(ferv(tmp_path), [f"2_ClipsforFaceCrop/{name}/01.jpg" for name in names])
    report = prepare_ferv39k(root, tmp_path / "m.jsonl")
    samples = samples_of(tmp_path / "m.jsonl")
    assert {n: (s.split, s.targets.emotion) for n, s in samples.items()} == {
        "Crime/Angry/0063": ("train", "angry"), "DailyLife/Angry/0619": ("train", "angry"),
        "Argue/Surprise/0196": ("train", "surprise"), "Action/Happy/0015": ("test", "happy"),
        "Action/Happy/0047": ("test", "happy"), "Action/Happy/0009": ("test", "happy"),
    }  # fmt: skip
    first = samples["Crime/Angry/0063"]
    assert first.video == "2_ClipsforFaceCrop/Crime/Angry/0063" and first.truth["scene"] == "Crime"
    assert not report.rejected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Crime/Angry/0063 Sad\n", r"train_All.csv:1: 'Crime/Angry/0063' lies in 'Angry', but is"),
        ("Crime/Angry/0063 3\n", r"train_All.csv:1: '3' is not in label set 'ferv39k'"),
        ("Angry/0063 Angry\n", r"train_All.csv:1: must hold a clip and its label"),
    ],
)
def test_an_altered_line_of_ferv39k(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_ferv39k(ferv(tmp_path, train=text), tmp_path / "m.jsonl")
