"""MVSA-Single in miniature: the rule for a post's sentiment, and texts in two encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.corpora.readers.mvsa import joint, prepare_mvsa
from tests.corpora.trees import plant, samples_of


def mvsa(root: Path, lines: str, count: int = 4) -> Path:
    media = {f"data/{i}.{s}": b"x" for i in range(1, count + 1) for s in ("jpg", "txt")}
    return plant(root, {**media, "labelResultAll.txt": lines})


def test_posts_with_the_sentiment_of_both_halves(tmp_path: Path) -> None:
    root = mvsa(
        tmp_path / "mvsa",
        "\ufeffID\ttext,image\r\n1\tneutral,positive\r\n2\tnegative, negative\r\n"
        "3\tpositive,negative\r\n9\tneutral,neutral\r\n\r\n",
    )
    plant(root, {"data/1.txt": "RT @x: caf\xe9 \x93ok\x94\n".encode("latin-1")})
    plant(root, {"data/2.txt": "so sad \u2019".encode()})
    report = prepare_mvsa(root, tmp_path / "m.jsonl")
    first, second = samples_of(tmp_path / "m.jsonl").values()
    assert first.text == "RT @x: caf\xe9 \u201cok\u201d" and first.video == "mvsa/data/1.jpg"
    assert (first.targets.emotion, first.targets.native) == ("positive", "neutral,positive")
    assert first.truth == {"words": "neutral", "picture": "positive"} and first.split is None
    assert second.text == "so sad \u2019" and second.targets.emotion == "negative"
    assert report.rejected == {
        "3": "the words are positive, the picture negative, or reversed", "9": "file is missing",
    }  # fmt: skip
    assert "1 texts are not UTF-8 and were read as cp1252" in report.notes
    assert report.faults[0] == "split 'all posts': 3 samples found, 4511 expected"


def test_the_rule_is_symmetric() -> None:
    words = ("positive", "neutral", "negative")
    assert all(joint(a, b) == joint(b, a) for a in words for b in words)
    assert [joint("neutral", b) for b in words] == list(words) and joint(*words[::2]) is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1\tpositive\n", r"labelResultAll.txt:1: must hold id, tab, text,image"),
        ("1 positive,positive\n", r"txt:1: must hold"),
        ("1\tpositive,happy\n", r"txt:1: 'happy' is not in label set 'mvsa'"),
        ("1\tpositive,neutral\n1\tneutral,neutral\n", r"txt:2: id '1' is already at .*txt:1"),
        ("1\tpositive,neutral\n1\tpositive,negative\n", r"txt:2: id '1' is already at .*txt:1"),
        ("../1\tpositive,neutral\n", r"txt:1: '../1' is not a valid id"),
        ("ID\ttext,image\n", "no sample is usable"),
    ],
)
def test_mistakes(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(EmollamaError, match=said):
        prepare_mvsa(mvsa(tmp_path, lines), tmp_path / "m.jsonl")
    assert not (tmp_path / "m.jsonl").exists()


def test_what_is_no_mvsa(tmp_path: Path) -> None:
    with pytest.raises(EmollamaError, match="has no data/<id>"):
        prepare_mvsa(tmp_path, tmp_path / "m.jsonl")
    plant(tmp_path, {"data/1.jpg": b"x"})
    with pytest.raises(EmollamaError, match=r"labelResultAll.txt: cannot be read"):
        prepare_mvsa(tmp_path, tmp_path / "m.jsonl")
