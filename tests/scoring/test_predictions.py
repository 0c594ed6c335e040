from __future__ import annotations

import json

import pytest

from emollama.base.errors import EmollamaError
from emollama.scoring.predictions.prediction import Prediction, channel_sets, set_name
from emollama.scoring.predictions.predictions import Header, read_predictions, write_predictions

from .made import MER2023, random_predictions

HEADER = Header(labels=MER2023, corpus="probe", split="test", model="m", config_hash="ab", seed=1)
SCORES = dict.fromkeys(MER2023.labels, 1 / 6)


def test_written_equals_read(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = random_predictions(5)
    rows.append(
        Prediction(
            id="ü",
            channels=("words", "voice"),
            reference="sadness",
            label="HAPPY",
            truth={"voice": "joy"},
            clues=("AU12",),
            reason="The lips\npart – “so”.",
            latency_ms=1.5,
        )
    )
    write_predictions(path, HEADER, rows)
    back = read_predictions(path)
    assert back.header == HEADER and back.rows[:5] == tuple(rows[:5])
    last = back.rows[-1]
    assert (last.reference, last.label, last.truth) == ("sad", "happy", {"voice": "happy"})
    assert last.channels == ("voice", "words") and last.reason == rows[-1].reason
    write_predictions(tmp_path / "q.jsonl", back.header, back.rows)
    assert (tmp_path / "q.jsonl").read_bytes() == path.read_bytes()
    assert back.select(["words", "voice"]) == [last]
    assert back.channel_sets() == [("voice", "words"), ("voice", "face", "words")]


def test_answers_of_other_kinds_are_read_back(tmp_path):
    path = tmp_path / "p.jsonl"
    row = Prediction(
        id="a",
        values={"valence": (0.5, -1.0), "sentiment": 2.0},
        reference_values={"valence": (0.25, 1.0)},
        labels=("SADNESS", "angry"),
        reference_labels=(),
        label_scores=dict.fromkeys(MER2023.labels, 0.9),
        words=("let down",),
        reference_words=("hurt",),
        fold="1",
    )
    write_predictions(path, HEADER, [row])
    back = read_predictions(path).rows[0]
    assert back == row.model_copy(update={"labels": ("angry", "sad")})
    assert "null" not in path.read_text().split("\n")[1], "fields without a value are not written"
    other = row.model_copy(update={"system": "x", "reference_words": ("glad",)})
    with pytest.raises(EmollamaError, match="has reference_words"):
        write_predictions(path, HEADER, [row, other])


def test_channel_sets():
    assert [set_name(s) for s in channel_sets()] == [
        "voice", "face", "words", "voice + face", "voice + words", "face + words",
        "voice + face + words",
    ]  # fmt: skip
    assert channel_sets(["words", "voice"]) == [("voice",), ("words",), ("voice", "words")]


BAD = [
    ({"id": "a", "label": "hapy", "reference": "sad"}, r"label: 'hapy' is not in .*'happy'"),
    ({"id": "a", "reference": "bored", "label": "sad"}, "reference: 'bored' is not in label set"),
    ({"id": "a", "reference": "sad"}, "neither label nor parse_failure"),
    ({"id": "a", "label": "sad", "parse_failure": "x"}, "a label and a parse_failure"),
    ({"id": "a", "label": "sad", "scores": {**SCORES, "sad": float("nan")}}, "is nan; it must"),
    ({"id": "a", "label": "sad", "scores": {**SCORES, "sad": float("inf")}}, "must be finite"),
    ({"id": "a", "label": "sad", "scores": {**SCORES, "sad": 0.9}}, "scores sum to 1.7333"),
    ({"id": "a", "label": "sad", "scores": {**SCORES, "sad": -1}}, "must be in 0..1"),
    ({"id": "a", "label": "sad", "scores": {"sad": 1.0}}, "scores: 'angry' is missing"),
    ({"id": "a", "label": "sad", "scores": {**SCORES, "dull": 0.0}}, "scores: 'dull' is not in"),
    ({"id": "a", "label": "sad", "channels": ["voice", "smell"]}, "'channels.1'"),
    ({"id": "a", "label": "sad", "lable": "sad"}, "'lable'"),
    ({"label": "sad"}, "'id'"),
    ({"id": "a", "label": "sad", "truth": {"voice": "bored"}}, "truth.voice: 'bored'"),
    ({"id": "a", "values": {"valence": [1, None]}}, "'values.valence"),
    ({"id": "a", "values": {"valence": []}}, "values.valence is an empty list"),
    ({"id": "a", "reference_values": {"arousal": [0.1, 1e999]}}, "arousal holds inf"),
    ({"id": "a", "values": {"v": 1}, "reference_values": {"v": [1, 2]}}, "v has 1 numbers and"),
    ({"id": "a", "labels": ["sad", "sadness"]}, "labels: a label is named twice"),
    ({"id": "a", "reference_labels": ["dull"]}, "reference_labels: 'dull' is not in"),
    ({"id": "a", "label_scores": {**SCORES, "sad": 1.1}}, "label_scores.sad is 1.1"),
    ({"id": "a", "label_scores": {"sad": 1}}, "label_scores: 'angry' is missing"),
    ({"id": "a", "label": "sad", "fold": " "}, "fold is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), BAD)
def test_a_bad_row_is_one_line(tmp_path, row, message):
    path = tmp_path / "p.jsonl"
    header = {"predictions": HEADER.model_dump(mode="json")}
    path.write_text(f"{json.dumps(header)}\n{json.dumps(row)}\n")
    with pytest.raises(EmollamaError, match=message) as error:
        read_predictions(path)
    assert str(error.value).startswith(f"{path}:2:") and "\n" not in str(error.value)


def test_duplicates_and_two_references(tmp_path):
    path = tmp_path / "p.jsonl"
    row = Prediction(id="a", reference="sad", label="sad")
    voice = row.model_copy(update={"channels": ("voice",)})
    write_predictions(path, HEADER, [row, voice, row.model_copy(update={"system": "chance"})])
    assert read_predictions(path).systems() == ["model", "chance"]
    before = path.read_bytes()
    with pytest.raises(EmollamaError, match=r"row 3: id 'a' with channels voice by 'model' is"):
        write_predictions(path, HEADER, [row, voice, voice])
    with pytest.raises(EmollamaError, match="a sample can have only one"):
        write_predictions(path, HEADER, [row, voice.model_copy(update={"reference": "angry"})])
    assert path.read_bytes() == before, "a refused write must leave the old file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('{"id": "a"}\n', "first line must be the header"),
        ('{"predictions": {"version": 9}}\n', "version 9 is not supported"),
        ('{"predictions": {"version": 1}}\n', "'labels'"),
        ('{"predictions": {"version": 1, "labels": {"name": "x", "labels": []}}}\n', "distinct"),
        ("not json\n", "is not JSON"),
        (json.dumps({"predictions": HEADER.model_dump(mode="json")}), "holds no predictions"),
    ],
)  # fmt: skip
def test_a_bad_header_is_one_line(tmp_path, text, message):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(EmollamaError, match=message) as error:
        read_predictions(path)
    assert str(error.value).startswith(str(path))
