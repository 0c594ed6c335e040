"""The reward: what it reads, and what does not earn it."""

from __future__ import annotations

import pytest

from emollama.llm.training.methods.phrases import CLUES, clues_named, concluded
from emollama.llm.training.methods.reward import WEIGHTS, label_words, reward
from emollama.manifest.labels import get_label_set
from emollama.probe.plan import Settings, plan_clip, truth
from emollama.probe.reasons import reference_reason
from emollama.probe.vocabulary import PHRASES, rendered_clues

LABELS = get_label_set("mer2023").labels
WORDS = label_words(LABELS)
CLUES_OF = frozenset({"AU12", "AU6", "pitch=high", "words=happy"})
TRUE = (
    "The face shows raised cheeks and lip corners pulled up and looks happy. The voice has a high "
    "pitch and sounds happy. The words tell of good news, so the emotion is happy."
)


def of(text: str, ended: bool = True):
    return reward(text, ended, CLUES_OF, "happy", WORDS)


@pytest.mark.parametrize("index", [*range(12), 43])
def test_reference_reasons_earn_all_but_the_clues_that_they_have_no_room_for(index: int) -> None:
    settings = Settings(7)
    plan = plan_clip(settings, "train", index)
    known = truth(plan, settings)
    text = reference_reason(known, plan.intended, (*plan.drawing, 2))
    found = reward(text, True, frozenset(rendered_clues(known)), plan.intended, WORDS)
    assert (found.true, found.label, found.form) == (1, 1, 1) and found.clues > 0.7


def test_every_phrase_is_read_and_nothing_that_resembles_one() -> None:
    for clue, phrase in PHRASES.items():
        assert clues_named(f"There is {phrase}, it seems.") == [clue]
    assert clues_named("a loud sound, and Wide open\neyes") == ["loudness=loud", "AU5"]
    for text in ("raised brows", "a loud car voice", "cheeks raised", "lip corners pulled"):
        assert clues_named(text) == []
    assert sum(map(len, CLUES)) > len(CLUES)


def test_a_conclusion_is_one_label_in_the_last_sentence() -> None:
    assert concluded("It looks sad. So the emotion is happy.", WORDS) == "happy"
    assert concluded("So the person seems surprised.", WORDS) == "surprise"
    assert concluded("No channel settles it alone; so it is most likely sad.", WORDS) == "sad"
    for text in ("It is happy. So it seems.", "So it is happy or sad.", "So it is not happy.", ""):
        assert concluded(text, WORDS) is None


@pytest.mark.parametrize(
    ("text", "part", "value"),
    [
        (TRUE.replace("a high pitch", "a low pitch"), "true", 0.75),
        (TRUE.replace("emotion is happy", "emotion is sad"), "label", 0),
        (TRUE.replace("emotion is happy", "emotion is happy or sad"), "label", 0),
        (TRUE.replace("raised cheeks", "not raised cheeks"), "form", 0),
        (TRUE.replace("raised cheeks", "good news"), "form", 0),
        (TRUE.removesuffix("."), "form", 0),
        (TRUE.replace("shows", "shows no"), "clues", 2 * 2 / (4 + 2)),
        ("Raised cheeks, lip corners pulled up, a high pitch, good news, happy.", "form", 0),
        ("Raised cheeks and a high pitch " + "as one sees " * 9 + "so it is happy.", "form", 0),
        ("It is happy.", "clues", 0),
        ("So the emotion is happy.", "true", 0),
        (" ".join(PHRASES.values()) + ". So it is happy.", "true", 4 / len(PHRASES)),
    ],
)
def test_what_is_wrong_earns_less(text: str, part: str, value: float) -> None:
    assert getattr(of(TRUE), part) == 1 and of(TRUE).total == pytest.approx(1)
    assert getattr(of(text), part) == pytest.approx(value)
    assert of(text).total < of(TRUE).total
    assert of(TRUE, ended=False).form == 0 and sum(WEIGHTS.values()) == pytest.approx(1)
