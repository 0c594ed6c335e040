"""Labels read from free answers: whole words, denials, the released system's rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emollama.base.errors import EmollamaError
from emollama.manifest.labels import LabelSet, get_label_set
from emollama.scoring.predictions.parsing import (
    DENIED,
    EMPTY,
    LAST_WORD,
    NONE,
    PARSERS,
    SEVERAL,
    parse_again,
    parse_last_word,
    parse_words,
)
from emollama.scoring.predictions.prediction import Prediction

from .made import MER2023

MERR = get_label_set("merr")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Happy", "happy"),
        ("The person seems HAPPY, even joyful.", "happy"),
        ("He is unhappy.", "sad"),
        ("not happy but sad", "sad"),
        ("She isn\u2019t angry; she is worried.", "worried"),
        ("sad rather than angry", "sad"),
        ("neither angry nor sad, simply neutral", "neutral"),
        ("no doubt he is angry", "angry"),
        ("not only angry but furious", "angry"),
        ("He is no longer sad", DENIED),
        ("not at all very happy", DENIED),
        ("There was nothing he could do: happy", "happy"),
        ("happy or sad", SEVERAL),
        ("a happy-go-lucky tone", NONE),
        ("happyness", NONE),
        ("", EMPTY),
        (" \n", EMPTY),
        ("\u4ed6\u5f88\u9ad8\u5174", NONE),
        # Quotes, dashes and underscores stand around a word; one of them between letters joins.
        ("The emotion is 'happy'.", "happy"),
        ("'happy'", "happy"),
        ("\u2018happy\u2019", "happy"),
        ("-happy", "happy"),
        ("__happy__", "happy"),
        ("He's 'sad' and isn't 'happy'", "sad"),
        ("un-happy", NONE),
        ("bitter-sweet and non-angry", NONE),
        ("very_happy", NONE),
        # Denials at a distance, and in other words than "not".
        ("I don't think the person is happy", DENIED),
        ("he does not seem to be really angry", DENIED),
        ("She does not look sad at all, she is happy", "happy"),
        ("I am not sure whether this person is happy", DENIED),
        ("no sign that the person in it is angry", DENIED),
        ("does not appear to be in any way sad or really angry", DENIED),
        ("does not look at the camera and seems happy", "happy"),
        ("anything but happy", DENIED),
        ("far from happy", DENIED),
        ("fails to be happy", DENIED),
        ("lack of happy emotion", DENIED),
        ("free of anger and sadness", DENIED),
        ("lack of joy or anger, so sad", "sad"),
        ("nothing but happy", "happy"),
        ("She can't be anything but happy", "happy"),
        ("cannot hide his anger", "angry"),
        ("not sad and is happy", "happy"),
        ("not happy instead sad", "sad"),
        ("no, he is happy", "happy"),
        ("The person's voice goes down. happy", "happy"),
    ],
)
def test_words(text: str, expected: str) -> None:
    found = parse_words(text, MER2023)
    assert expected in (found.label, found.failure) and None in (found.label, found.failure)


SOUNDS = LabelSet(
    "ave",
    ("Male speech, man speaking", "Fixed-wing aircraft, airplane", "Truck", "All but (one)"),
    {"It\u2019s  loud; very": "Truck"},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Male speech, man speaking", SOUNDS.labels[0]),
        ("It is 'fixed-wing aircraft,\nairplane'.", SOUNDS.labels[1]),
        ("all but (one)", SOUNDS.labels[3]),
        ("it's loud; very", "Truck"),
        ("not Male speech, man speaking, but a truck", "Truck"),
        ("no fixed-wing aircraft, airplane or truck", DENIED),
        ("speech, man", NONE),
    ],
)
def test_labels_with_punctuation(text: str, expected: str) -> None:
    found = parse_words(text, SOUNDS)
    assert expected in (found.label, found.failure)


@given(
    denial=st.sampled_from(
        [
            "I don't think he is",
            "she does not sound",
            "far from",
            "anything but",
            "not",
            "no",
            "fails to be",
            "there is no evidence that this man is",
            "can't say he's",
            "free of",
        ]
    ),
    degree=st.sampled_from(["", "very", "really quite"]),
    label=st.sampled_from([*MER2023.labels, *MER2023.synonyms]),
    other=st.sampled_from(MER2023.labels),
)
def test_a_denied_label_is_never_named(denial: str, degree: str, label: str, other: str) -> None:
    text = " ".join(f"{denial} {degree} {label}".split())
    assert parse_words(text, MER2023).failure == DENIED
    assert parse_words(f"{text}, but {other}", MER2023).label == other
    assert parse_words(f"{other}. {text}", MER2023).label == other


def test_doubt_that_is_denied_is_no_label() -> None:
    assert parse_words("Without any doubt she is happy.", MERR).label == "happy"
    assert parse_words("He looks doubtful.", MERR).label == "doubt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the emotion is happy", "happy"),
        ("sad", "sad"),
        ("not happy but sad", "sad"),
        ("sad or angry", "angry"),
        ("happy.", LAST_WORD),
        ("Happy", LAST_WORD),
        ("it is happiness", LAST_WORD),
        ("happy ", LAST_WORD),
        ("he is\nhappy", LAST_WORD),
        ("", EMPTY),
    ],
)
def test_the_released_rule_is_the_last_word_as_written(text: str, expected: str) -> None:
    found = parse_last_word(text, MER2023)
    assert expected in (found.label, found.failure)


PIECES = st.sampled_from(
    [
        *MERR.labels, *MERR.synonyms, "not", "n't", "no", "without", "rather", "than", "[", "(",
        "*", ".", "\n", "\u2019", "\x00", "\u2028", "but", "-", "'", '"', "\ufeff",
    ]
)  # fmt: skip


@settings(max_examples=1000)
@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=8), joint=st.sampled_from(["", " "]))
def test_whatever_the_text_there_is_a_label_or_a_reason(pieces: list[str], joint: str) -> None:
    for rule in PARSERS.values():
        found = rule(joint.join(pieces), MERR)
        assert (found.label is None) != (found.failure is None)
        assert found.label is None or found.label in MERR.labels


@given(label=st.sampled_from(MERR.labels), before=st.text("bcdfg ", max_size=8))
def test_a_label_is_found_as_a_word_and_not_inside_one(label: str, before: str) -> None:
    found = parse_words(f"{before}x {label}", MERR)
    assert found.label == label
    assert parse_words(f"{before}x{label}", MERR).label is None


def test_rows_are_read_again() -> None:
    rows = [
        Prediction(id="a", reference="sad", label="happy", answer="not happy but sad"),
        Prediction(id="b", reference="sad", label="sad", answer="Sad."),
        Prediction(id="c", reference="sad", label="sad"),
    ]
    again = parse_again(rows, MER2023, "upstream")
    assert [(r.label, r.parse_failure) for r in again] == [
        ("sad", None), (None, LAST_WORD), ("sad", None),
    ]  # fmt: skip
    assert parse_again(rows, MER2023, "words")[1].label == "sad"
    with pytest.raises(EmollamaError, match="did you mean 'words'"):
        parse_again(rows, MER2023, "word")
    with pytest.raises(EmollamaError, match="no row has an answer text"):
        parse_again(rows[2:], MER2023, "words")
