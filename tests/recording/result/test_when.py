"""Questions that segments answer, by the rules that are stated, and those that they do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emollama.base.errors import EmollamaError
from emollama.recording.parts import Analysis
from emollama.recording.result.naming import renamed
from emollama.recording.result.when import asked
from tests.recording.export.made import analysis, answered, segment

SAID = (("A", "neutral"), ("A", "angry"), ("B", "sad"), ("A", "worried"), ("A", "angry"),
        ("B", "happy"), ("A", "neutral"), ("A", "sad"), ("B", "sad"))  # fmt: skip


@pytest.fixture
def made() -> Analysis:
    """A segment every two seconds."""
    segments = tuple(segment(p, 2.0 * i, 2.0 * i + 2, "so") for i, (p, _) in enumerate(SAID))
    answers = tuple(answered(label, 0.6) for _, label in SAID)
    return replace(analysis(Path("a.mp4")), segments=segments, answers=answers)


@pytest.mark.parametrize(
    ("question", "times"),
    [
        ("When is A angry?", [2, 8]),
        ("when does A get upset?", [2, 14]),  # worried and angry again are the same stretch
        ("when does she become upset", [2, 4, 14, 16]),  # of nobody by name: everybody
        ("When was B unhappy?", [4, 16]),
        ("Who is delighted?", [10]),
        ("when is a person furious or sad", [2, 4, 8, 14, 16]),
        ("when is B worried?", []),
        ("when is B sad about A?", [4, 16]),
        ("when is A or B sad", [4, 14, 16]),
    ],
)
def test_times_by_the_rules(made: Analysis, question: str, times: list[float]) -> None:
    found = asked(made, question)
    assert [s.start for s, _ in found.segments] == times, found.rule


def test_the_rule_is_told(made: Analysis) -> None:
    found = asked(renamed(made, "A", "Ann"), "When does ann get upset?")
    assert found.rule == (
        "Segments of Ann whose most probable label is one of angry, sad, worried ('upset'), and "
        "was none of these in the segment before."
    )


def test_a_name_is_no_feeling(made: Analysis) -> None:
    found = asked(renamed(made, "B", "Joy"), "When was joy sad?")
    assert [s.start for s, _ in found.segments] == [4, 16], found.rule


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What did they eat?", 'ask when somebody is or gets something, as "when is A neutral?"'),
        ("why is A angry?", "ask when somebody"),
        ("when is A not angry?", "ask when somebody"),
        ("when isn\u2019t A angry?", "ask when somebody"),  # the apostrophe of telephones
        ("when does A stop being angry?", "ask when somebody"),
        ("when is everyone but A angry?", "ask when somebody"),
        ("when is A less angry than B?", "ask when somebody"),
        ("when are both angry?", "ask when somebody"),
        ("when is A angry and B sad?", "ask when somebody"),
        ("when does A make B sad?", "ask when somebody"),
        ("", "known are neutral, angry, happy, sad, worried, surprise, upset, tense"),
        ("when is Tom angry?", "nobody here is called 'Tom'; the people are A and B"),
        ("when is A bored?", "this model has no label for 'bored'; its labels are neutral, angry"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(made: Analysis, question: str, told: str) -> None:
    with pytest.raises(EmollamaError) as error:
        asked(made, question)
    assert told in str(error.value) and "\n" not in str(error.value)
