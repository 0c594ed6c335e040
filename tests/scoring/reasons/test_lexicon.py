"""The check understands what English says of voices and faces."""

from __future__ import annotations

import pytest

from emollama.llm.clues import MORE_VOICE_RULES
from emollama.scoring.reasons.lexicon import clues_in
from emollama.scoring.reasons.voice_words import OPPOSITE, OPPOSITES
from tests.scoring.reasons.phrases import PHRASES


def test_a_hundred_phrases_are_understood() -> None:
    assert len(PHRASES) >= 100
    wrong = {}
    for phrase, name, said in PHRASES:
        found = {(c.name, "no" if c.denied else "yes") for c in clues_in(f"One notices: {phrase}.")}
        against = {(OPPOSITE[name], "yes"), (name, {"no": "yes", "yes": "no"}[said])} if (
            name in OPPOSITE) else {(name, {"no": "yes", "yes": "no"}[said])}  # fmt: skip
        if (name, said) not in found or found & against:
            wrong[phrase] = (name, said, found)
    assert wrong == {}


def test_every_clue_word_of_the_rules_is_understood_and_has_its_opposite() -> None:
    assert {(r.low, r.high) for r in MORE_VOICE_RULES} == set(OPPOSITES)
    for pair in OPPOSITES:
        for words in pair:
            assert [(c.name, c.denied) for c in clues_in(words)] == [(words, False)]


def test_a_text_without_clues_names_none() -> None:
    for text in (
        "So the person seems sad.",
        "High energy and a good mood.",
        'She says "I shout".',
        "The person is happy because it is a funny caption about a birthday party.",
    ):
        assert clues_in(text) == [], text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Raised lip corners.", {"AU12"}),
        ("The corners of the mouth are down.", {"AU15"}),
        ("Eyebrows lifted and lips parted.", {"AU01", "AU02", "AU25"}),
        ("Brows raised as the lips part.", {"AU01", "AU02", "AU25"}),
        ("A closed mouth and open eyes.", set()),
        ("The mouth closed and eyes wide.", {"AU05"}),
        ("The face smiles, the voice is absent.", {"AU12"}),
        ("No sign of a smile, wrinkled nose or dropped jaw.", {"no AU12", "no AU09", "no AU26"}),
        ("She does not smile, frown or blink.", {"no AU12", "no AU04", "no AU45"}),
        ("No smile, lowered brows and pressed lips.", {"no AU12", "AU04", "AU23"}),
        (
            "There is no smile, but a loud voice or fast speech.",
            {"no AU12", "loud voice", "fast speech"},
        ),
        ("She tries to smile, but fails.", {"no AU12"}),
        ("He smiles but cannot speak.", {"AU12"}),
        ("The voice is loud, but she cannot be seen.", {"loud voice"}),
        ("Furrowed brows and a raised voice.", {"AU04", "loud voice"}),
        ("A happy person would smile, but she frowns.", {"AU04"}),
        ("One would expect a smile and a loud voice.", set()),
        ("She would not press her lips.", set()),
        (
            "The voice is louder than one would expect and her brows are furrowed.",
            {"loud voice", "AU04"},
        ),
        ("A sad person would frown while she smiles.", {"AU12"}),
        (
            "I would even argue that he frowns, which would explain the raised voice.",
            {"AU04", "loud voice"},
        ),
        ("Her eyebrows are raised as eyes widen.", {"AU01", "AU02", "AU05"}),
        ("I would say that she smiles, and it would seem that he frowns.", {"AU12", "AU04"}),
    ],
)
def test_movements_and_denials_are_of_their_own_clue(text: str, named: set[str]) -> None:
    assert {("no " if c.denied else "") + c.name for c in clues_in(text)} == named
