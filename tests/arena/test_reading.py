"""What an answer says, in every form."""

from __future__ import annotations

import json

import pytest

from emollama.arena.configuration import Form
from emollama.arena.reading import NO_JSON, read
from emollama.manifest.labels import label_set
from emollama.scoring.predictions.parsing import EMPTY, NONE, OTHER, SEVERAL
from tests.growth import growth

LABELS = label_set("made", "happy", "sad")
HALF = {"happy": 0.25, "sad": 0.75}


@pytest.mark.parametrize(
    ("text", "form", "label", "failure"),
    [
        ("Sad.", "text", "sad", None),
        ("<think>happy, or not?</think> sad", "text", "sad", None),
        ("<think>happy, or", "text", None, EMPTY),
        ("a banana", "text", None, NONE),
        ("happy or sad", "text", None, SEVERAL),
        ('{"emotion": "sad"}', "label", "sad", None),
        ('Sure: ```json\n{"emotion": "Sad"}\n```', "label", "sad", None),
        ('{"emotion": "sa', "label", None, NO_JSON),
        ('{"emotion": 3}', "label", None, NO_JSON),
        ('{"emotion": "gloomy"}', "label", None, OTHER),
        ("sad", "label", None, NO_JSON),
    ],
)
def test_labels(text: str, form: Form, label: str | None, failure: str | None) -> None:
    found = read(text, form, LABELS)
    assert (found.label, found.failure, found.scores) == (label, failure, None)


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        (HALF, True), ({"happy": 0.2, "sad": 0.7}, False), ({"happy": 1.0}, False),
        ({"happy": -0.5, "sad": 1.5}, False), ({"happy": "0.25", "sad": 0.75}, False),
        ({"happy": float("nan"), "sad": 0.75}, False), ({"happy": True, "sad": 0}, False),
        (7, False),
    ],
)  # fmt: skip
def test_scores_are_kept_where_they_are_probabilities(scores: object, kept: bool) -> None:
    found = read(json.dumps({"emotion": "sad", "scores": scores}), "scores", LABELS)
    assert found.label == "sad" and found.scores == (HALF if kept else None)


def test_a_word_for_ever_is_read_in_linear_time() -> None:
    def answer(words: int) -> None:
        assert read("happy " * words, "text", LABELS).label == "happy"

    assert growth(answer, 1000, 4000) < 10  # 4 where linear, 16 where quadratic
